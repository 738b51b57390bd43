#!/usr/bin/env bash
# Installs the course from this bundle into TARGET (a virtual environment), and closes its sources:
#     install.sh TARGET
# Everything is checked against the hashes in requirements.txt. LABS_PYTHON names the interpreter to
# use; else one is looked for that every user may read, because functions run as another user.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
target="${1:?install.sh needs the folder to install into}"
python="${LABS_PYTHON:-}"
# 3.11 or later, with its venv module, where everybody may read it.
suits='
import ensurepip, os, pathlib, sys
place = pathlib.Path(os.path.realpath(sys.executable))
seen = all(one.stat().st_mode & 1 for one in (place, *place.parents))
sys.exit(sys.version_info < (3, 11) or not seen)
'
for name in {,/usr/local/bin/,/usr/bin/}python3{.14,.13,.12,.11,}; do
  [ -z "$python" ] || break
  if command -v "$name" > /dev/null && "$name" -c "$suits" 2> /dev/null; then
    python="$(command -v "$name")"
  fi
done
if [ -z "$python" ]; then
  echo "labs: there is no Python 3.11 or later here that has its venv module and that every user may read" >&2
  exit 3
fi

umask 022
"$python" -m venv "$target"
# pip runs in the bundle's folder: the wheel is named relative to it, and nothing of a hand-in is near.
cd "$here"
PIP_DISABLE_PIP_VERSION_CHECK=1 "$target/bin/python" -m pip install --quiet --no-input \
  --require-hashes --requirement requirements.txt
if ! compgen -G "streamlabs-*.whl" > /dev/null; then
  # In a clone there is no wheel: the sources themselves are used.
  packages="$("$target/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
  (cd ../../../.. && pwd) > "$packages/streamlabs.pth"
fi
"$target/bin/python" -I -m grader.classroom.outward.close
