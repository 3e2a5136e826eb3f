#!/bin/sh
# Makes the virtual environment in which the Python servers run: setup.sh FOLDER
# Prints nothing and exits 0 where all is there already; says what is missing and exits 1 where it cannot be had.
set -eu
folder=$1
stamp=$folder/ready-$(cksum < "$(dirname "$0")/requirements.txt" | cut -d' ' -f1)
[ -e "$stamp" ] && exit 0
command -v python3 > /dev/null || { echo "python3 is not installed"; exit 1; }
python3 -m venv "$folder" > "$folder.log" 2>&1 || { echo "python3 has no venv module"; exit 1; }
"$folder/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 15 \
    -r "$(dirname "$0")/requirements.txt" >> "$folder.log" 2>&1 || { echo "the packages cannot be had"; exit 1; }
: > "$stamp"
