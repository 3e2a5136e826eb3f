#!/bin/sh
# Installs the frameworks: setup.sh python|node FOLDER
# Prints nothing and exits 0 where all is there already; says what is missing and exits 1 where it cannot be had.
set -eu
kind=$1
folder=$2
here=$(dirname "$0")
mkdir -p "$folder"
if [ "$kind" = python ]; then
    stamp=$folder/ready-$(cksum < "$here/requirements.txt" | cut -d' ' -f1)
    [ -e "$stamp" ] && exit 0
    command -v python3 > /dev/null || { echo "python3 is not installed"; exit 1; }
    python3 -m venv "$folder" > "$folder/log" 2>&1 || { echo "python3 has no venv module"; exit 1; }
    "$folder/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 15 \
        -r "$here/requirements.txt" >> "$folder/log" 2>&1 || { echo "the Python packages cannot be had"; exit 1; }
else
    stamp=$folder/ready-$(cksum < "$here/package.json" | cut -d' ' -f1)
    [ -e "$stamp" ] && exit 0
    command -v node > /dev/null || { echo "node is not installed"; exit 1; }
    command -v npm > /dev/null || { echo "npm is not installed"; exit 1; }
    cp "$here/package.json" "$folder/package.json"
    (cd "$folder" && npm install --silent --no-audit --no-fund --ignore-scripts --fetch-retries 1) \
        > "$folder/log" 2>&1 || { echo "the Node packages cannot be had"; exit 1; }
fi
: > "$stamp"
