# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL and MariaDB of the tests: their own data in the test's folder, on a unix socket there."""
import glob
import os
import signal

from .outcome import Skip, check_equal
from .servers import wait_for_socket

POSTGRES_SETTINGS = {
    "listen_addresses": "", "fsync": "off", "max_connections": "20", "log_connections": "on",
    "log_checkpoints": "off", "log_line_prefix": "", "autovacuum": "off", "shared_buffers": "16MB",
    "max_parallel_workers": "0", "max_parallel_maintenance_workers": "0",
}


class Database:
    """What both have: commands of their own, recorded into `traces` or, where it is None, native."""

    def __init__(self, t, name, traces):
        self.t, self.traces = t, traces
        self.folder = os.path.join(t.folder, name)
        os.makedirs(self.folder)
        self.environment = {"HOME": self.folder, "TMPDIR": self.folder,
                            **(traces.settings if traces else {})}

    def options(self, recorded=True):
        return {"env": self.environment, "recorded": recorded and self.traces is not None,
                "cwd": self.folder}

    def wait(self):
        """Waits for the server to end by itself; its exit status and what it wrote."""
        stdout, stderr = self.process.communicate(timeout=60)
        return self.process.returncode, stdout + stderr


class Postgres(Database):
    """A cluster of its own. It refuses to run as root: then all of it runs as nobody."""

    def __init__(self, t, name="pg", traces=None):
        super().__init__(t, name, traces)
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not found:
            raise Skip("postgresql is not installed")
        self.bin, self.data = found[-1], f"{self.folder}/data"
        self.log, self.starts = f"{self.folder}/log", 0
        self.user = {"user": "nobody", "group": "nogroup", "extra_groups": []} \
            if os.geteuid() == 0 else {}
        os.chmod(t.folder, 0o711)
        os.chmod(self.folder, 0o777)

    def run(self, command, *arguments, recorded=True, **options):
        return self.t.run([f"{self.bin}/{command}", *arguments], **self.options(recorded),
                          **self.user, **options)

    def client(self, command, *arguments, **options):
        return self.run(command, "-h", self.folder, "-U", "postgres", *arguments, "postgres", **options)

    def initialise(self):
        return self.run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-N")

    def start(self):
        settings = [word for name, value in POSTGRES_SETTINGS.items() for word in ("-c", f"{name}={value}")]
        with open(self.log, "a") as log:
            self.process = self.t.start([f"{self.bin}/postgres", "-D", self.data, "-k", self.folder,
                                         *settings], **self.options(), **self.user, stdout=log, stderr=log)
        self.starts += 1
        self.t.wait_until(self.is_ready, "PostgreSQL to accept connections", 60)

    def is_ready(self):
        """By its log: a client that only asks would be logged, one way or another."""
        with open(self.log) as file:
            return file.read().count("ready to accept connections") == self.starts

    def query(self, text):
        return self.client("psql", "-AtXc", text).stdout.strip()

    def stop(self, number=signal.SIGTERM):
        """SIGTERM lets clients finish, SIGINT sends them away, SIGQUIT stops at once. The status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


class MariaDB(Database):
    """A server of its own, without networking."""

    def __init__(self, t, name="maria", traces=None):
        super().__init__(t, name, traces)
        self.data, self.socket = f"{self.folder}/data", f"{self.folder}/socket"
        t.command("mariadbd")

    def initialise(self):
        return self.t.run(["mariadb-install-db", "--no-defaults", *self.user, f"--datadir={self.data}",
                           "--auth-root-authentication-method=normal", "--skip-test-db"], limit=120,
                          **self.options())

    @property
    def user(self):
        return ["--user=root"] if os.geteuid() == 0 else []

    def start(self):
        self.process = self.t.start(
            ["mariadbd", "--no-defaults", *self.user, f"--datadir={self.data}", "--skip-networking",
             f"--socket={self.socket}", f"--pid-file={self.folder}/pid",
             "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0",
             f"--log-error={self.folder}/log.err"], **self.options())
        wait_for_socket(self.socket, 60)

    def query(self, text):
        return self.t.run(["mariadb", "--no-defaults", "-uroot", "-S", self.socket, "-NBe", text],
                          **self.options()).stdout.strip()

    def sysbench(self, action, *arguments):
        run = self.t.run(["sysbench", "oltp_read_write", "--db-driver=mysql", "--mysql-user=root",
                          f"--mysql-socket={self.socket}", "--mysql-db=sbtest", "--tables=2",
                          "--table-size=1000", "--rand-seed=7", *arguments, action], **self.options())
        check_equal(run.stderr, "", f"stderr of sysbench {action}")
        return run.stdout

    def stop(self):
        """As the service manager does: SIGTERM. The status and what it wrote."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()
