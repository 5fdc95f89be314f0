"""A Flask application that uses what Flask applications use."""

import hashlib
import os
import time

from flask import (
    Flask,
    Response,
    abort,
    jsonify,
    make_response,
    redirect,
    request,
    send_file,
    session,
    stream_with_context,
    url_for,
)

application = Flask(__name__)
application.secret_key = "only for tests"
torn_down = 0


@application.route("/")
def index():
    return "<h1>index</h1>"


@application.route("/hello/<name>")
def hello(name):
    return f"hello {name} {request.args.get('x', '')}"


@application.route("/json", methods=["POST"])
def echo_json():
    return jsonify(got=request.get_json(), length=request.content_length)


@application.route("/form", methods=["POST"])
def form():
    return jsonify(request.form.to_dict(flat=False))


@application.route("/upload", methods=["POST"])
def upload():
    file = request.files["file"]
    data = file.read()
    digest = hashlib.sha256(data).hexdigest()
    return jsonify(
        name=file.filename, size=len(data), sha256=digest, note=request.form["note"]
    )


@application.route("/stream")
def stream():
    def lines():
        for i in range(5):
            yield f"{request.args['word']} {i}\n"
            time.sleep(0.01)

    return Response(stream_with_context(lines()), mimetype="text/plain")


@application.route("/visits")
def visits():
    session["visits"] = session.get("visits", 0) + 1
    response = make_response(str(session["visits"]))
    response.set_cookie("plain", "a b;c", httponly=True)
    return response


@application.route("/cookie")
def cookie():
    return request.cookies.get("plain", "none")


@application.route("/old")
def old():
    return redirect(url_for("hello", name="moved", _external=True))


@application.route("/file")
def file():
    return send_file(os.path.abspath(__file__), mimetype="text/x-python")


@application.route("/abort/<int:code>")
def stop(code):
    abort(code)


@application.route("/fail")
def fail():
    raise LookupError("handled by the application")


@application.route("/crash")
def crash():
    return 1 // 0


@application.route("/torn-down")
def count():
    return str(torn_down)


@application.errorhandler(LookupError)
def on_lookup_error(error):
    return f"sorry: {error}", 418


@application.teardown_request
def on_teardown(error):
    global torn_down
    torn_down += 1
