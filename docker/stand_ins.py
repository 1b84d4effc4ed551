"""What stands in for Docker Hub and a Docker engine where `try_containers.py` is run."""

PYTHON = "docker.io/library/python:3.12-slim"
POSTGRES = "localhost/stand-in/postgres:17"

CONTAINERS_CONF = """\
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
"""

POSTGRES_DOCKERFILE = f"""\
FROM {PYTHON}
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql && rm -rf /var/lib/postgresql/* \\
 && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ \\
 && mkdir --parents /var/lib/postgresql/data /var/run/postgresql \\
 && chmod 700 /var/lib/postgresql/data && chown postgres:postgres /var/lib/postgresql/data /var/run/postgresql
COPY start /usr/local/bin/start
USER postgres
CMD ["sh", "/usr/local/bin/start"]
"""

POSTGRES_START = """\
set -e
export PGDATA=/var/lib/postgresql/data
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" > /tmp/password
    initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-host=scram-sha-256 --auth-local=trust
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl -w start -o "-c listen_addresses=''"
    createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
    pg_ctl -w stop
fi
exec postgres -c "listen_addresses=*"
"""
