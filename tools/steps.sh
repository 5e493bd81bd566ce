# For sh scripts that run tests in steps, count, and go on when something fails. Sourced.
#
#   step NAME COMMAND...    runs a command; what it counts, or that it fails, is added
#   script NAME COMMAND...  the same for a script that has steps itself, whose last line is their sum
#   skip NAME REASON        counts one that could not be run
#   finish                  prints the sum as the last line and exits, with 1 when anything failed

steps_dir=$(mktemp -d)
trap 'rm -rf "$steps_dir"' EXIT
trap 'exit 130' INT TERM
: >"$steps_dir/counts"
: >"$steps_dir/failed"

# Adds what the log of a step says: lines `N passed, N failed, N skipped`, with or without the name of
# a set of the official suite before it. A command that fails without a failure in its log counts as one.
count_log() {
    awk -v status="$1" -v sums="$2" '
        /^([a-z0-9.\/-]+: )?[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ {
            sub(/^[^ ]*: /, "")
            if (sums)
                passed = failed = skipped = 0
            passed += $1; failed += $3; skipped += $5
        }
        END {
            if (status != 0 && !failed) failed++
            print passed + 0, failed + 0, skipped + 0
        }' "$steps_dir/log"
}

# The command runs in a process of its own, whose failure does not end the script; lines of make's are
# left out unless it fails.
step() {
    step_sums=0
    run_step "$@"
}

script() {
    step_sums=1
    run_step "$@"
}

run_step() {
    step_name=$1
    shift
    step_began=$(date +%s)
    printf '\n==== %s\n' "$step_name"
    {
        step_status=0
        "$@" 2>&1 || step_status=$?
        echo "$step_status" >"$steps_dir/status"
    } </dev/null | tee "$steps_dir/log" | grep --line-buffered -v '^  [A-Z]\{2,3\} *[^ ]*$' || true
    count_log "$(cat "$steps_dir/status")" "$step_sums" >"$steps_dir/count"
    read -r step_passed step_failed step_skipped <"$steps_dir/count"
    cat "$steps_dir/count" >>"$steps_dir/counts"
    [ "$step_failed" = 0 ] || echo "$step_name" >>"$steps_dir/failed"
    echo "---- $step_name: $(($(date +%s) - step_began)) s"
    [ "$step_failed" = 0 ]
}

skip() {
    printf '\n==== %s: not run: %s\n' "$1" "$2"
    echo 0 0 1 >>"$steps_dir/counts"
}

finish() {
    echo
    sed 's/^/FAILED: /' "$steps_dir/failed"
    awk '{ p += $1; f += $2; s += $3 }
         END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 || p == 0 }' \
        "$steps_dir/counts"
    exit
}
