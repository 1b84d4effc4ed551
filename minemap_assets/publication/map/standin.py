import geopandas as gpd
def write(polygons, path):
    p = polygons
    site = p["site_ids"].map(lambda s: s[0] if len(s) else "")
    first = p.assign(site=site).groupby("site")["year"].min()
    frame = gpd.GeoDataFrame({"id":p["polygon_id"],"year":p["year"].astype(int),"region":p["region"],"iso3":p["country_iso3"],"km2":p["area_km2"],"site":site,"first":site.map(first).astype(int),"status":p["status"],"p":p["mean_probability"]}, geometry=p.geometry.values, crs=4326)
    frame.to_file(path, driver="PMTiles", layer="polygons", engine="pyogrio", MINZOOM=0, MAXZOOM=12)
