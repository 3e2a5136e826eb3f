#!/bin/sh
# Fetches the JSON schema of SARIF 2.1.0, as the npm package @microsoft/jest-sarif ships it: setup.sh FOLDER
# Prints the schema's path and exits 0; says what is missing and exits 1 where it cannot be had.
set -eu
folder=$1
schema=$folder/package/lib/schemas/sarif-2.1.0-rtm.5.json
if [ ! -e "$schema" ]; then
    command -v npm > /dev/null || { echo "npm is not installed"; exit 1; }
    mkdir -p "$folder"
    cd "$folder"
    npm pack --silent @microsoft/jest-sarif@1.0.0-beta.0 > "$folder.log" 2>&1 || { echo "the package cannot be had"; exit 1; }
    tar -xzf microsoft-jest-sarif-1.0.0-beta.0.tgz
fi
echo "$schema"
