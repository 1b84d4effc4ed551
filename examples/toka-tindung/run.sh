#!/bin/sh
# Yearly Sentinel-2 composites of one mine and a picture strip of the years: run.sh [YEARS], such as 2019-2024.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
MINEMAP_HOME=${MINEMAP_HOME:-$here/data/lake}
MINEMAP_STATE=${MINEMAP_STATE:-$here/data/state}
export MINEMAP_HOME MINEMAP_STATE
years=${1:-2019-2024}

minemap init --source stac --region "$here/toka-tindung.geojson" --title "Toka Tindung"
minemap sources stac # ends here where the catalogues cannot be reached
minemap sites promote "$here/site.geojson" --note "drawn by hand"
minemap run --select +imagery/imagery --regions toka-tindung --years "$years"
minemap imagery strip --region toka-tindung --years "$years" --out "${MINEMAP_STATE}/toka-tindung.png"
