# shellcheck shell=bash disable=SC2154,SC2034 # variables of ./dev
# `./dev test`, sourced by ./dev. Every stage adds to the totals; a stage that cannot even be built counts
# as one failure and the others still run. The last line is `N passed, M failed[, K skipped]`.

passed=0 failed=0 skipped=0
filters=()
stages=()
quick=
ahead=
second_tries=10 # failures of a stage; more are no accident

# count_junit FILE...: prints "passed failed skipped" summed over JUnit files.
count_junit() {
  "$python" - "$@" <<'PY'
import sys
import xml.etree.ElementTree as tree

passed = failed = skipped = 0
for name in sys.argv[1:]:
    for case in tree.parse(name).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail":
            failed += 1
        elif case.find("skipped") is not None or case.get("status") in ("disabled", "notrun"):
            skipped += 1
        else:
            passed += 1
print(passed, failed, skipped)
PY
}

# add_junit STAGE EXIT_CODE FILE: a runner that failed without naming a failed test counts as one.
add_junit() {
  local stage=$1 code=$2 file=$3 p=0 f=0 s=0
  if [[ -s $file ]]; then read -r p f s < <(count_junit "$file") || true; fi
  if ((code != 0 && f == 0)); then f=1; fi
  ((passed += p, failed += f, skipped += s)) || true
  say "$stage: $p passed, $f failed, $s skipped (${SECONDS} s since the start)"
}

stage_fails() {
  ((failed += 1))
  say "$1: FAILED ($2)"
}

# Unit tests of build/PRESET, by ctest.
unit_tests() {
  local preset=$1 file=$results/unit-$1.xml code=0 select=()
  if ((${#filters[@]} > 0)); then select=(-R "$(IFS='|'; printf '%s' "${filters[*]}")"); fi
  build_preset "$preset" || { stage_fails "$preset" "does not build"; return 0; }
  (cd "build/$preset" && ctest -j "$jobs" --timeout 240 --output-on-failure --no-tests=ignore "${select[@]}" \
    --output-junit "$file" >"$results/unit-$preset.log" 2>&1 </dev/null) || code=$?
  if ((code != 0)); then grep -v '   Passed  ' "$results/unit-$preset.log" | tail -n 200 >&2; fi
  add_junit "unit tests, $preset" "$code" "$file"
}

# pytest_stage NAME FOLDER ARGS...
pytest_stage() {
  local name=$1 folder=$2 file=$results/$1.xml code=0
  shift 2
  if ((${#filters[@]} > 0)); then
    local any
    any=$(printf ' or %s' "${filters[@]}")
    set -- "$@" -k "${any# or }"
  fi
  # The folder first: its conftest.py is what knows the options behind it.
  "$python" -m pytest "$folder" -q -p no:cacheprovider --junitxml="$file" "$@" >&2 </dev/null || code=$?
  if ((code == 5)); then code=0; fi # nothing selected
  add_junit "$name" "$code" "$file"
}

# second_try NAME LIST ARGS...: on a busy machine some bound in hundreds of tests may be too short. Few that failed run
# again by themselves; those that pass then are told of by name, and do not count as failed.
second_try() {
  local name=$1 list=$2 ids code=0 p=0 f=0 s=0
  shift 2
  if [[ ! -s $list ]]; then return 0; fi
  mapfile -t ids <"$list"
  if ((${#ids[@]} > second_tries)); then return 0; fi
  say "$name: ${#ids[@]} once more, by themselves"
  "$python" -m pytest "${ids[@]}" -q -p no:cacheprovider --junitxml="$results/$name-again.xml" "$@" >&2 </dev/null ||
    code=$?
  if ((code > 1)) || [[ ! -s $results/$name-again.xml ]]; then return 0; fi
  read -r p f s < <(count_junit "$results/$name-again.xml")
  ((passed += p, failed -= p)) || true
  say "$name: of ${#ids[@]} that failed $p passed then: ${ids[*]##*/}"
}

# integration_tests PRESET ARGS...: the pytest suite against the binary of that preset. Most of it waits, so more
# run at a time than there are processors; what is marked "alone" comes after it.
integration_tests() {
  local preset=$1 name=integration at_a_time=$((jobs + 1))
  shift
  if [[ ! -d tests/integration ]]; then return 0; fi
  if [[ $preset != dev ]]; then name=integration-$preset; fi
  build_preset "$preset" trunkline exchange_conformance || { stage_fails "$name" "does not build"; return 0; }
  export TRUNKLINE_BIN=$root/build/$preset/trunkline
  local which="not alone" list=$results/$name.failed
  # What runs alone measures, and a sanitizer's figures say nothing of anybody's.
  if [[ $preset != dev ]]; then which+=" and not any_build"; fi
  pytest_stage "$name" tests/integration -m "$which" -n "$at_a_time" --dist loadgroup --failed-list "$list" "$@"
  second_try "$name" "$list" "$@"
  if [[ $preset != dev ]]; then return 0; fi
  pytest_stage "$name-alone" tests/integration -m alone --failed-list "$list-alone" "$@"
  second_try "$name-alone" "$list-alone" "$@"
}

# What runs from an image, a package or a chart is built with the rest.
deploy_tests() {
  build_preset dev trunkline || { stage_fails deploy "does not build"; return 0; }
  export TRUNKLINE_BIN=$root/build/dev/trunkline
  pytest_stage deploy tests/deploy
}

fuzz_smoke() {
  local targets
  mapfile -t targets < <(fuzz_targets)
  ((${#targets[@]} > 0)) || return 0
  fuzz_preset=asan # built for the unit tests; a tree of its own would double the time
  build_preset asan "${targets[@]}" || { stage_fails fuzz "does not build"; return 0; }
  fuzz_all 4 "${targets[@]}"
  ((passed += fuzz_passed, failed += fuzz_failed)) || true
  say "fuzz: $fuzz_passed passed, $fuzz_failed failed (${SECONDS} s since the start)"
}

# Compilers want the processor and integration tests mostly wait, so they share the time: whoever needs a
# preset waits for the lock of its build, and finds it made. What fails here fails again there, and is told.
build_ahead() {
  local preset
  set -m # a process group of its own, so that it can be ended as a whole
  (
    renice -n 10 "$BASHPID" >/dev/null
    for preset in asan tsan; do
      if [[ " ${stages[*]} " == *" $preset "* ]]; then build_preset "$preset" || true; fi
    done
  ) >"$results/build-ahead.log" 2>&1 </dev/null &
  ahead=$!
  trap 'kill -- -"$ahead" 2>/dev/null || true' EXIT
  set +m
}

run_stage() {
  local short=()
  if [[ -n $quick ]]; then short=(--quick); fi
  case $1 in
    unit) unit_tests dev ;;
    asan | tsan) unit_tests "$1" ;;
    fuzz) fuzz_smoke ;;
    tidy) pytest_stage tidy tests/tidy ;;
    deploy) deploy_tests ;;
    integration) integration_tests dev "${short[@]}" ;;
    # Memory is the same in every mode that ends TLS, and threads are the same in all.
    integration-asan) integration_tests asan --quick --servers 18 --modes tls-scram,pooled ;;
    integration-tsan) integration_tests tsan --quick --servers 15 --modes plain,pooled ;;
  esac
}

verb_test() {
  local word
  for word in "$@"; do
    case $word in
      --quick) quick=1 ;;
      --fresh-root) exec tests/fresh-root/run ;;
      unit | asan | tsan | fuzz | tidy | deploy | integration | integration-asan | integration-tsan) stages+=("$word") ;;
      -*) usage >&2; exit 2 ;;
      *) filters+=("$word") ;;
    esac
  done
  if ((${#stages[@]} == 0)); then
    stages=(tidy unit integration deploy)
    if [[ -z $quick ]]; then stages+=(asan fuzz integration-asan tsan integration-tsan); fi
  fi

  # What is not there is installed before the first stage, so that a long run does not fail late.
  local groups=(build tidy unit)
  if [[ " ${stages[*]} " =~ san|fuzz ]]; then groups+=(sanitize); fi
  if [[ " ${stages[*]} " == *integration* ]]; then groups+=(integration); fi
  if [[ " ${stages[*]} " == *" deploy "* ]]; then groups+=(deploy image deb); fi
  scripts/setup-packages "${groups[@]}"
  if [[ " ${stages[*]} " == *integration* || " ${stages[*]} " == *" deploy "* ]]; then
    scripts/setup-postgres
    scripts/setup-cel
    scripts/setup-kubernetes
  fi

  rm -rf "$results"
  mkdir -p "$results"
  for word in "${stages[@]}"; do
    say "$word"
    if [[ $word == integration ]]; then build_ahead; fi
    run_stage "$word"
  done
  printf '%d passed, %d failed%s\n' "$passed" "$failed" "$( ((skipped == 0)) || printf ', %d skipped' "$skipped")"
  ((failed == 0))
}
