#!/bin/sh
# Tailings of mines in Brazil from pictures and masks: run.sh DATA, the folder that fetch.sh filled.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "give the folder of the data, which examples/fetch.sh fills: run.sh DATA" >&2; exit 2; }
data=$(cd "$1" && pwd)
MINEMAP_HOME=${MINEMAP_HOME:-$here/data/lake}
MINEMAP_STATE=${MINEMAP_STATE:-$here/data/state}
export MINEMAP_HOME MINEMAP_STATE
pictures=$data/tailings-seg-s2-brazil

minemap init --source archive --images "$pictures/img_tiff" --product sentinel-2-l1c --bands blue,green,red --year 2021 \
    --truth "$pictures/mask_tiff" --licence unknown --title "Tailings in Brazil" --quick
minemap reference add country_boundaries "$data/natural-earth/ne_50m/ne_50m_admin_0_countries.shp" \
    --licence "public domain"
minemap doctor
minemap run --promote-anyway
