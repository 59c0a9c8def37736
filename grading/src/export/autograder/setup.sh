#!/usr/bin/env bash
# Gradescope runs this once, when it builds the autograder's image: packages, Rust, and everything that can be built before there is a submission.
set -euo pipefail

apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates curl gcc libc6-dev
curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --default-toolchain '@RUST@'
. "$HOME/.cargo/env"

cd /autograder/source/course
cargo build --locked --package grading --bin grade
# A class of one who handed in nothing: the lab's checks are built, and nobody is graded.
mkdir -p /tmp/warm/submissions/nobody/'@LAB@'
cargo grade run /tmp/warm/submissions --lab '@LAB@' --out /tmp/warm/graded --seed '@SEED@'
rm -rf /tmp/warm
