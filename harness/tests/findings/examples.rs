//! The examples of the pages on findings, `docs/src/findings/*.rs`, in one program: the first argument says which.
#![allow(missing_docs, clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block, reason = "the pages show the calls alone")]

macro_rules! examples {
    ($($module:ident $file:literal)+) => {
        $(mod $module {
            include!(concat!("../../../docs/src/findings/", $file, ".rs"));

            pub fn run() {
                main();
            }
        })+

        fn main() {
            let name = std::env::args().nth(1).unwrap_or_default();
            match &*name {
                $($file => $module::run(),)+
                _ => panic!("there is no example `{name}`"),
            }
        }
    };
}

examples! {
    busy_waiting "busy-waiting"
    busy_waiting_mended "busy-waiting-mended"
    byte_order "byte-order"
    byte_order_mended "byte-order-mended"
    data_race "data-race"
    data_race_mended "data-race-mended"
    deadlock "deadlock"
    deadlock_mended "deadlock-mended"
    end_of_file "end-of-file"
    end_of_file_mended "end-of-file-mended"
    ignored_failure "ignored-failure"
    ignored_failure_mended "ignored-failure-mended"
    interrupted_call "interrupted-call"
    interrupted_call_mended "interrupted-call-mended"
    leaked_descriptor "leaked-descriptor"
    leaked_descriptor_mended "leaked-descriptor-mended"
    left_behind "left-behind"
    left_behind_mended "left-behind-mended"
    lost_wakeup "lost-wakeup"
    lost_wakeup_mended "lost-wakeup-mended"
    message_size "message-size"
    message_size_mended "message-size-mended"
    short_transfer "short-transfer"
    short_transfer_mended "short-transfer-mended"
    sigpipe "sigpipe"
    sigpipe_mended "sigpipe-mended"
    sleep "sleep"
    sleep_mended "sleep-mended"
    stale_pid "stale-pid"
    stale_pid_mended "stale-pid-mended"
    zombie "zombie"
    zombie_mended "zombie-mended"
}
