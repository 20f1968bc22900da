# SPDX-License-Identifier: Apache-2.0
"""Programs that bring threads, stacks and signals of their own, or pass their terminal on, native and
recorded: Java, SBCL, Apache with two of its process models, tmux.

    LD_PRELOAD=libinspect.so INSPECT_OUTPUT=traces/%e.%p.zst keytool -list -keystore store
"""
from real.large_daemons import FETCH, named, run
from support.outcome import check
from support.servers import free_port

LIMIT, LONG = 120, True


def threads_of(infos, name):
    return max(int(info.row("threads")) for info in named(infos, name))


def test_java(t):
    """Compiled as it runs, with threads on stacks that it guards itself."""
    infos = run(t, "keytool", script="""
keytool -genkeypair -keyalg RSA -keysize 1024 -dname CN=x -alias x -keystore store \\
  -storepass secret -validity 9 >/dev/null 2>&1; echo $?
keytool -list -keystore store -storepass secret | grep -c PrivateKeyEntry
keytool -list -keystore store -storepass wrong >/dev/null; echo $?
java -version 2>&1 | wc -l""")
    check(threads_of(infos, "keytool") > 8, "threads of the virtual machine")


def test_sbcl(t):
    """Its collector stops threads with signals, and finds out by SIGSEGV what they write."""
    infos = run(t, "sbcl", script="""sbcl --noinform --disable-debugger --eval '(progn
(print (mapcar (function sb-thread:join-thread) (loop for i below 8 collect (let ((i i))
  (sb-thread:make-thread (lambda () (let ((s 0) (kept nil)) (dotimes (k 200000 s)
    (push (make-string 8) kept) (when (zerop (mod k 5000)) (setf kept nil))
    (incf s (mod k (+ i 2)))))))))))
(gc :full t) (print (handler-case (error "x") (error (e) (type-of e)))) (terpri)
(sb-ext:exit :code 4))'; echo $?""")
    check(threads_of(infos, "sbcl") >= 9, "threads")


def apache(t, model):
    port = free_port()
    infos = run(t, "apache2", script=f"""
mkdir pages; echo page > pages/index.html
cat > conf <<X
ServerRoot "$PWD"
ServerName localhost
LoadModule mpm_{model}_module /usr/lib/apache2/modules/mod_mpm_{model}.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
Listen 127.0.0.1:{port}
PidFile "$PWD/pid"
ErrorLog "$PWD/log"
DocumentRoot "$PWD/pages"
StartServers 2
X
apache2 -f "$PWD/conf" -k start; echo $?; await pid
{FETCH.format(port)}
kill -USR1 "$(cat pid)"
{FETCH.format(port)}
stop pid; grep 'exit signal' log; true""")
    check(threads_of(infos, "apache2") > 20, "threads of a child")


def test_apache_event(t):
    apache(t, "event")


def test_apache_worker(t):
    apache(t, "worker")


def test_tmux(t):
    """Its server leaves the terminal, and gives each window one by forkpty."""
    infos = run(t, "tmux", script="""
tmux -S "$PWD/s" -f /dev/null new-session -d -x 80 -y 20 'echo inside; echo > ready; sleep 60'
echo $?; await ready; sleep 0.5
tmux -S "$PWD/s" capture-pane -p | head -1
tmux -S "$PWD/s" display-message -p '#{pid}' > pid; await pid
stop pid""")
    check(named(infos, "tmux"), "its processes")
