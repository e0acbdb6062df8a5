"""How the host starts, what keeps it from starting, and how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.local.host.hosts import ANONYMOUS, PATIENCE_SECONDS, StartHost, refusal, start_process, write_app

PING = """
@app.route(route="ping", methods=["GET"])
async def ping(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("pong")
"""
SLOW = """
import asyncio
@app.route(route="slow/{seconds}", methods=["GET"])
async def slow(req: func.HttpRequest) -> func.HttpResponse:
    print("begun", flush=True)
    await asyncio.sleep(float(req.route_params["seconds"]))
    return func.HttpResponse("done")
"""


def test_it_lists_the_functions_and_says_when_it_is_ready(tmp_path: Path, start_host: StartHost) -> None:
    host = start_host(write_app(tmp_path, ANONYMOUS + PING))
    assert f"\tping: [GET] {host.url}/api/ping" in host.output
    assert host.output[-1] == f"ready {host.url}"
    assert httpx.get(f"{host.url}/api/ping").text == "pong"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import azure.functions as func\napp = func.FunctionApp()\n", "declares no function"),
        ("x = 1\n", "Could not find top level function app"),
        (ANONYMOUS + PING + PING, "ping"),
        (ANONYMOUS + PING.replace("req: func.HttpRequest", "req: int"), "type annotation int"),
        (ANONYMOUS + PING + "import no_such_module\n", "no_such_module"),
        (ANONYMOUS + PING + "other = func.FunctionApp()\n", "More than one"),
    ],
    ids=["empty", "no app", "name twice", "wrong annotation", "missing module", "two apps"],
)
def test_an_app_that_azure_would_not_run_does_not_start(tmp_path: Path, code: str, said: str) -> None:
    assert said in refusal(write_app(tmp_path, code))


def test_a_folder_without_an_app_is_refused(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    assert "has no function_app.py" in refusal(tmp_path)


def test_a_module_that_an_installed_package_would_hide_is_refused(tmp_path: Path) -> None:
    app = write_app(tmp_path, ANONYMOUS + PING)
    (app / "starlette_is_not_this.py").write_text("")
    (app / "joserfc.py").write_text("")
    assert "hides the app's own 'joserfc'" in refusal(app)


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} is not free" in refusal(write_app(tmp_path, ANONYMOUS + PING), "--port", str(port))


def test_a_queue_without_a_connection_is_refused_by_the_names_of_its_settings(tmp_path: Path) -> None:
    code = """
@app.queue_trigger(arg_name="m", queue_name="work", connection="Nowhere")
async def work(m: func.QueueMessage) -> None: ...
"""
    said = refusal(write_app(tmp_path, ANONYMOUS + code))
    assert "set the app setting Nowhere (or AzureWebJobsNowhere)" in said


def test_an_output_without_a_connection_is_refused(tmp_path: Path) -> None:
    code = """
@app.timer_trigger(schedule="* * * * * *", arg_name="t")
@app.queue_output(arg_name="out", queue_name="out", connection="No")
async def tick(t: func.TimerRequest, out: func.Out[str]) -> None: ...
"""
    assert "set the app setting No (or AzureWebJobsNo)" in refusal(write_app(tmp_path, ANONYMOUS + code))


def test_a_monitored_timer_without_storage_does_not_run_and_the_host_says_so(
    tmp_path: Path, start_host: StartHost
) -> None:
    code = """
@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="t")
async def yearly(t: func.TimerRequest) -> None: ...
@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="t", use_monitor=False, run_on_startup=True)
async def unmonitored(t: func.TimerRequest) -> None: ...
"""
    host = start_host(write_app(tmp_path, ANONYMOUS + code), environ={"AzureWebJobsStorage": ""})
    assert "needs storage" in host.logged("the timer 'yearly' does not run")
    host.logged("Executed 'Functions.unmonitored' (Succeeded")


def test_without_keys_the_host_says_who_is_locked_out(tmp_path: Path, start_host: StartHost) -> None:
    app = write_app(tmp_path, ANONYMOUS.replace("ANONYMOUS", "FUNCTION") + PING)
    host = start_host(app)
    host.logged("'ping' answers 401 to everybody")
    assert httpx.get(f"{host.url}/api/ping").status_code == 401
    assert httpx.get(f"{start_host(app, '--no-auth').url}/api/ping").text == "pong"


def test_settings_reach_the_app_and_configure_the_host(tmp_path: Path, start_host: StartHost) -> None:
    code = """
import os
@app.route(route="setting", methods=["GET"])
async def setting(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(os.environ["OWN"] + os.getcwd() + os.environ["TZ"])
"""
    values = {"OWN": "own ", "AzureFunctionsJobHost__extensions__http__routePrefix": "v1"}
    app = write_app(tmp_path / "app", ANONYMOUS + code)
    write_app(tmp_path / "elsewhere", "", local={"Values": values, "Host": {"CORS": "*"}})
    host = start_host(app, "--settings", str(tmp_path / "elsewhere" / "local.settings.json"))
    answer = httpx.get(f"{host.url}/v1/setting", headers={"origin": "https://x.example"})
    assert answer.text == f"own {app.resolve()}UTC"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_on_sigterm_running_requests_end_and_new_ones_are_not_begun(tmp_path: Path, start_host: StartHost) -> None:
    host = start_host(write_app(tmp_path, ANONYMOUS + SLOW))
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(httpx.get, f"{host.url}/api/slow/1", timeout=20)
        assert host.process.stdout is not None
        assert host.process.stdout.readline() == "begun\n"
        assert host.stop() == 0
        assert answer.result().text == "done"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{host.url}/api/slow/0")


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    process = start_process(write_app(tmp_path, ANONYMOUS + PING))
    try:
        assert process.stdout is not None
        assert any(line.startswith("ready ") for line in process.stdout)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()


def test_ctrl_c_is_a_graceful_end(tmp_path: Path, start_host: StartHost) -> None:
    host = start_host(write_app(tmp_path, ANONYMOUS + PING))
    host.process.send_signal(signal.SIGINT)
    assert host.process.wait(PATIENCE_SECONDS) == 0


def test_a_function_that_runs_too_long_is_ended_and_said(tmp_path: Path, start_host: StartHost) -> None:
    host = start_host(write_app(tmp_path, ANONYMOUS + SLOW, host={"functionTimeout": "00:00:00.2"}))
    assert httpx.get(f"{host.url}/api/slow/60").status_code == 500
    host.logged("ran longer than functionTimeout")


def test_limits_of_requests_answer_429(tmp_path: Path, start_host: StartHost) -> None:
    http = {"maxConcurrentRequests": 1, "maxOutstandingRequests": 2}
    host = start_host(write_app(tmp_path, ANONYMOUS + SLOW, host={"extensions": {"http": http}}))
    with httpx.Client(base_url=host.url) as client, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: client.get("/api/slow/1").status_code, range(4)))
    assert sorted(answers) == [200, 200, 429, 429]


def test_a_body_above_the_limit_is_413_and_a_url_above_it_414(tmp_path: Path, start_host: StartHost) -> None:
    code = ANONYMOUS + PING.replace("GET", "POST")
    host = start_host(write_app(tmp_path, code), environ={"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "10"})
    assert httpx.post(f"{host.url}/api/ping", content=b"0123456789").status_code == 200
    assert httpx.post(f"{host.url}/api/ping", content=b"0123456789a").status_code == 413
    assert httpx.post(f"{host.url}/api/ping?{'q' * 4097}").status_code == 414
    assert httpx.post(f"{host.url}/{'a' * 8192}").status_code == 414


def test_log_records_are_lines_with_category_and_invocation() -> None:
    app = Path(__file__).parent / "contract_app"
    process = start_process(app)
    try:
        assert process.stdout is not None
        url = next(line for line in process.stdout if line.startswith("ready ")).split()[1]
        invocation = httpx.get(f"{url}/api/logs").text
        httpx.get(f"{url}/api/in-thread")
        httpx.get(f"{url}/api/fails")
        httpx.get(f"{url}/api/blocks")
        httpx.post(f"{url}/api/echo/a", content=iter([b"x"]))
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    lines = log.splitlines()
    assert any(f" info Function.logs.User [{invocation}] first line" in line for line in lines)
    assert "    second line" in lines
    assert any("Function.in_thread.User [" in line and line.endswith("from a thread") for line in lines)
    assert any("Executed 'Functions.fails' (Failed" in line and "ValueError: as asked" in line for line in lines)
    assert "    Traceback (most recent call last):" in lines
    assert any("the event loop was blocked" in line for line in lines)
    assert any("POST /api/echo/a is sent in chunks" in line for line in lines)
    assert not any("azure.functions" in line for line in lines)


def test_a_request_that_its_client_breaks_off_reaches_no_function(tmp_path: Path, start_host: StartHost) -> None:
    code = """
import logging
@app.route(route="take", methods=["POST"])
async def take(req: func.HttpRequest) -> func.HttpResponse:
    logging.info("took %s bytes", len(req.get_body()))
    return func.HttpResponse()
"""
    host = start_host(write_app(tmp_path, ANONYMOUS + code))
    with socket.create_connection(("127.0.0.1", int(host.url.rsplit(":", 1)[1]))) as client:
        client.sendall(b"POST /api/take HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
    host.logged("broken off by its client")
    assert httpx.post(f"{host.url}/api/take", content=b"whole").status_code == 200
    host.logged("took 5 bytes")
    assert len([line for line in host.log if "took" in line]) == 1


def test_a_sync_function_that_does_not_end_does_not_hold_the_host(tmp_path: Path, start_host: StartHost) -> None:
    code = """
import threading
@app.timer_trigger(schedule="0 0 0 1 1 *", arg_name="t", use_monitor=False, run_on_startup=True)
def stuck(t: func.TimerRequest) -> None:
    print("begun", flush=True)
    threading.Event().wait()
"""
    app = write_app(tmp_path, ANONYMOUS + code, host={"functionTimeout": "00:00:00.1"})
    host = start_host(app, environ={"AzureWebJobsStorage": ""})
    host.logged("ran longer than functionTimeout")
    assert host.stop() == 0
    assert any("cut off" in line for line in host.log)
