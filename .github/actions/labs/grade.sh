#!/usr/bin/env bash
# What the action does. The exit code is the grade's: 0 everything met, 1 not everything, 3 our fault.
set -euo pipefail
bundle="$LABS_ACTION"
# In a clone the rest of the bundle lies in the package.
[ -e "$bundle/install.sh" ] || bundle="$(cd "$LABS_ACTION/../../../grader/classroom/outward/templates" && pwd)"
LABS_LAB="" LABS_SEED=0
[ ! -e "$bundle/bundle.env" ] || . "$bundle/bundle.env"
lab="${LABS_INPUT_LAB:-$LABS_LAB}"
seed="${LABS_INPUT_SEED:-$LABS_SEED}"
folder="$(cd "${LABS_INPUT_PATH:-.}" && pwd)"
results="$(mktemp -d "${RUNNER_TEMP:-/tmp}/labs-XXXXXX")"

# Learner code runs as another user, which only root can bring about.
root=()
[ "$(id -u)" -eq 0 ] || root=(sudo -n)
python="${LABS_PYTHON:-}"
if [ -z "$python" ]; then
  "${root[@]}" env LABS_PYTHON="$(command -v python)" bash "$bundle/install.sh" /opt/streamlabs
  python=/opt/streamlabs/bin/python
fi

code=0
"${root[@]}" "$python" -I -m grader.desk.instructor.bundled --lab "$lab" --seed "$seed" \
  --from "$folder" "junit=$results/labs.xml" "json=$results/labs.json" || code=$?
[ "$code" -le 1 ] || exit "$code"
{
  echo "results=$results"
  "$python" -I -c '
import json, sys
grade = json.load(open(sys.argv[1]))
print("score=%d\nmax-score=%d\npassed=%s" % (grade["score"], grade["max_score"], str(grade["passed"]).lower()))
' "$results/labs.json"
} >> "${GITHUB_OUTPUT:-/dev/stdout}"
exit "$code"
