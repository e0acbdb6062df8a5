"""The app that the contract tests call: each function shows one thing that a Functions host does with HTTP."""

import json
import logging
import time

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def seen(req: func.HttpRequest) -> func.HttpResponse:
    """What reached the function."""
    told = {
        "method": req.method,
        "url": req.url,
        "headers": dict(req.headers),
        "query": dict(req.params),
        "route": dict(req.route_params),
        "body": req.get_body().decode(),
    }
    return func.HttpResponse(json.dumps(told), mimetype="application/json")


@app.route(route="echo/{First}/{second?}", methods=["GET", "POST", "PUT"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    return seen(req)


@app.route(methods=["GET"])
async def named_by_function(req: func.HttpRequest) -> func.HttpResponse:
    return seen(req)


@app.route(route="any-method")
async def any_method(req: func.HttpRequest) -> func.HttpResponse:
    return seen(req)


@app.route(route="precedence/{general}", methods=["GET"])
async def a_general(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("general")


@app.route(route="precedence/exact", methods=["GET"])
async def b_exact(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("exact")


@app.route(route="rest/{*path}", methods=["GET"])
async def rest(req: func.HttpRequest) -> func.HttpResponse:
    return seen(req)


@app.route(route="page/{number=1}", methods=["GET"])
async def page(req: func.HttpRequest) -> func.HttpResponse:
    return seen(req)


@app.route(route="int/{number:int}", methods=["GET"])
async def whole(req: func.HttpRequest) -> func.HttpResponse:
    return seen(req)


@app.route(route="typed/{type:regex(^[A-Z][a-z]+$)}", methods=["GET"])
async def typed(req: func.HttpRequest) -> func.HttpResponse:
    return seen(req)


@app.route(route="get", methods=["GET"])
async def split_get(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("got")


@app.route(route="get", methods=["POST"])
async def split_post(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("posted")


@app.route(route="fails", methods=["GET"])
async def fails(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("as asked")


@app.route(route="exits", methods=["GET"])
async def exits(req: func.HttpRequest) -> func.HttpResponse:
    raise SystemExit(3)


@app.route(route="exits-in-thread", methods=["GET"])
def exits_in_thread(req: func.HttpRequest) -> func.HttpResponse:
    raise SystemExit(3)


@app.route(route="nothing", methods=["GET"])
async def nothing(req: func.HttpRequest):  # type: ignore[no-untyped-def]
    return None


@app.route(route="header/{value}", methods=["GET"])
async def header(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("x", headers={"X-Own": req.route_params["value"]})


@app.route(route="text/{kind}", methods=["GET"])
async def text(req: func.HttpRequest) -> str:
    return {
        "plain": "just text",
        "json": '{"a":  1, "b": [2]}',
        "whole": '{"status": 202, "headers": {"x-own": "yes"}, "body": "taken"}',
    }[req.route_params["kind"]]


@app.route(route="in-thread", methods=["GET"])
def in_thread(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    logging.getLogger("contract").info("from a thread")
    return func.HttpResponse(f"{context.function_name} {context.invocation_id}")


@app.route(route="logs", methods=["GET"])
async def logs(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    logging.getLogger("contract").info("first line\nsecond line")
    return func.HttpResponse(context.invocation_id)


@app.route(route="status/{code}", methods=["GET", "HEAD"])
async def status(req: func.HttpRequest) -> func.HttpResponse:
    code = int(req.route_params["code"])
    return func.HttpResponse("body" if code == 200 else None, status_code=code, headers={"X-Own": "yes"})


@app.route(route="repeated", methods=["GET"])
async def repeated(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("x")
    response.headers.add("X-Twice", "one")
    response.headers.add("X-Twice", "two")
    response.headers.add("Set-Cookie", 'a="1 2"; Max-Age=60; Secure; HttpOnly; SameSite=Strict')
    response.headers.add("Set-Cookie", "b=x; Path=/api; Domain=example.org")
    return response


@app.route(route="trace", methods=["GET"])
async def trace(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return func.HttpResponse(context.trace_context.trace_parent)


@app.route(route="with-function-key", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def with_function_key(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("open")


@app.route(route="with-admin-key", methods=["GET"], auth_level=func.AuthLevel.ADMIN)
async def with_admin_key(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("open")


@app.route(route="switched-off", methods=["GET"])
async def switched_off(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("on")


@app.route(route="blocks", methods=["GET"])
async def blocks(req: func.HttpRequest) -> func.HttpResponse:
    time.sleep(0.5)  # noqa: ASYNC251 - what an async function must not do: the host says so
    return func.HttpResponse("late")
