#!/bin/sh
# Fetches the public data of an example into a folder, once: fetch.sh tailings|open-pits DATA.
set -eu
usage="say which example and where to: fetch.sh tailings|open-pits DATA"
[ $# -eq 2 ] || { echo "$usage" >&2; exit 2; }
case $1 in
tailings | open-pits) example=$1 ;;
*)
    echo "there is no example $1; $usage" >&2
    exit 2
    ;;
esac
mkdir -p "$2"
data=$(cd "$2" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# folder REPOSITORY COMMIT FROM TO: one folder or file of a repository, as it was at that commit
folder() {
    [ ! -e "$data/$4" ] || return 0
    clone=$scratch/$(echo "$1" | tr / -)
    [ -d "$clone" ] || git clone -q --no-checkout --filter=blob:none "https://github.com/$1.git" "$clone"
    git -C "$clone" sparse-checkout set --no-cone "/$3"
    git -C "$clone" -c advice.detachedHead=false checkout -q "$2"
    mkdir -p "$(dirname "$data/$4")"
    mv "$clone/$3" "$data/$4"
}

case $example in
tailings) # 215 MB
    masks=baa01c653408d8182a61a6060da895ed752e7f8d
    folder IsasGithub/tailings_seg $masks data/img_tiff tailings-seg-s2-brazil/img_tiff
    folder IsasGithub/tailings_seg $masks data/mask_tiff tailings-seg-s2-brazil/mask_tiff
    ;;
open-pits) # 20 MB
    polygons=mining_polygons_combined_demo.gpkg
    folder fegemo/change-detection 92148ab98220aa0c47f7bd4fb08292d06c818092 \
        onera-images/beihai oscd-sentinel2-l1c/beihai
    folder p0017/Mapping-Mining-Areas 36d7cc3312bd8c9c4daf4098a6a09789be749fcd \
        "data/segmentation/$polygons" "p0017-paper-demo-polygons/$polygons"
    ;;
esac
folder sentinel-hub/eo-learn-examples 227a581d74c1f63c5b8bffcc0f5e56346c5d610b \
    "AgriDataValue/Air pollution example/data/ne_50m_admin_0_countries" natural-earth/ne_50m
