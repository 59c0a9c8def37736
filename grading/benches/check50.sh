#!/bin/sh
# Grading beside check50: the same exercise, words through a pipe, one submission after another on either side.
#
#   sh grading/benches/check50.sh [SUBMISSIONS]
#
# On one side `grade run --jobs 1` and the lab's solution with all its checks, each submission with an edit of its own; on the other check50 (PyPI `check50`) and the lab's
# accepted submission in C with six checks that start the program and look at what it prints. Rounds alternate, so that what else the machine does meets both.
# CHECK50 names the command (check50), GRADE ours (target/release/grade, else target/debug/grade). Without check50 nothing is compared, and the package is named.
set -eu
cd "$(dirname "$0")/../.."
count=${1:-6}
check50=${CHECK50:-check50}
if ! command -v "$check50" > /dev/null; then
    echo "skipped: check50 is not installed; it is the package \`check50\` of PyPI (python3 -m venv V && V/bin/pip install check50, then CHECK50=V/bin/check50)"
    exit 0
fi
target=${CARGO_TARGET_DIR:-target}
grade=${GRADE:-$target/release/grade}
[ -x "$grade" ] || grade=$target/debug/grade
[ -x "$grade" ] || { echo "expected $grade; build it: cargo build --release -p grading, or name another with GRADE" >&2; exit 2; }

work=$(mktemp -d)
# In the sandbox programs are started as another user, who has to pass through.
chmod 711 "$work"
trap 'rm -rf "$work"' EXIT INT TERM
mkdir "$work/checks"
printf 'check50: true\n' > "$work/checks/.cs50.yaml"
cat > "$work/checks/__init__.py" << 'PYTHON'
import re

import check50
import check50.c

MANY = [f"word{number}" for number in range(200)]


def prints(words):
    child = check50.run("./pipe " + " ".join(words))
    output = child.stdout()
    expected = "".join(word + "\n" for word in words) + r"\d+ bytes\n"
    if not re.fullmatch(expected, output):
        raise check50.Mismatch(expected, output)
    if child.exitcode != 0:
        raise check50.Failure(f"expected exit code 0, not {child.exitcode}")


@check50.check()
def compiles():
    """it compiles"""
    check50.c.compile("pipe.c", cc="cc")


@check50.check(compiles)
def one_word():
    """a word arrives"""
    prints(["hello"])


@check50.check(compiles)
def words_arrive():
    """words arrive in their order"""
    prints(["one", "two", "three"])


@check50.check(compiles)
def many_words():
    """many words arrive"""
    prints(MANY)


@check50.check(compiles)
def dashes():
    """a word may begin with a dash"""
    prints(["-x", "--help"])


@check50.check(compiles)
def long_word():
    """a long word arrives"""
    prints(["x" * 50000])


@check50.check(compiles)
def usage():
    """without a word it exits 2"""
    check50.run("./pipe").exit(2)
PYTHON

graded() { # CLASS OUT
    "$grade" run "$1" --lab pipe --out "$2" --seed 1 --jobs 1 > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
}
now() { date +%s%N; }
ours=0 theirs=0
submit() { # NAME NUMBER
    mkdir -p "$work/$1/02-pipe/src"
    { cat labs/02-pipe/src/main.rs; echo "// $2"; } > "$work/$1/02-pipe/src/main.rs"
}
# Builds the checks, which a class needs once.
mkdir "$work/warm" && submit warm/student 0
graded "$work/warm" "$work/warm-out"
for number in $(seq "$count"); do
    mkdir -p "$work/class-$number" && submit "class-$number/student" "$number"
    start=$(now)
    graded "$work/class-$number" "$work/out-$number"
    ours=$((ours + $(now) - start))
    grep -q '"verdict": "fail"' "$work/out-$number/records/student/02-pipe.json" && { echo "the solution failed a check" >&2; exit 1; }

    mkdir "$work/c-$number"
    { cat labs/02-pipe/submissions/accepted/in_c.c; echo "/* $number */"; } > "$work/c-$number/pipe.c"
    start=$(now)
    (cd "$work/c-$number" && "$check50" --dev --log-level error -o json --output-file result.json "$work/checks" > /dev/null 2> "$work/check50.log") || { echo "check50 failed" >&2; cat "$work/check50.log" >&2; exit 1; }
    theirs=$((theirs + $(now) - start))
    passed=$(grep -o '"passed": true' "$work/c-$number/result.json" | wc -l)
    [ "$passed" -eq 7 ] || { echo "check50 passed $passed of 7 checks" >&2; cat "$work/c-$number/result.json" >&2; exit 1; }
done
echo "$count submissions on either side, one after another, $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)"
awk -v ours="$ours" -v theirs="$theirs" -v count="$count" 'BEGIN {
    printf "grade run   %6.2f s each, %5.1f a minute: all checks of the lab, start of the batch included\n", ours / count / 1e9, 60e9 * count / ours
    printf "check50     %6.2f s each, %5.1f a minute: compile, and six runs\n", theirs / count / 1e9, 60e9 * count / theirs
    printf "check50 / grade run: %.2f of the time\n", theirs / ours
}'
