#!/bin/sh
# Two years of open pits from two Sentinel-2 scenes and one outline: run.sh DATA, the folder that fetch.sh filled.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "give the folder of the data, which examples/fetch.sh fills: run.sh DATA" >&2; exit 2; }
data=$(cd "$1" && pwd)
MINEMAP_HOME=${MINEMAP_HOME:-$here/data/lake}
MINEMAP_STATE=${MINEMAP_STATE:-$here/data/state}
export MINEMAP_HOME MINEMAP_STATE
scenes=$data/oscd-sentinel2-l1c/beihai

minemap init --source archive --images "$scenes" --region "$scenes/beihai.geojson" --season 12-3 --title "Beihai" \
    --truth "$data/p0017-paper-demo-polygons/mining_polygons_combined_demo.gpkg" --licence "CC BY-SA 4.0" --quick
minemap reference add country_boundaries "$data/natural-earth/ne_50m/ne_50m_admin_0_countries.shp" \
    --licence "public domain"
minemap reference add pits "$here/pits.geojson" --licence "CC0 1.0" --citation "drawn by hand on the scenes"
minemap doctor
minemap run --promote-anyway
