"""Python's jinja2 in the environment in which Hugging Face's tokenizers render chat templates:
what src/template must agree with."""
import copy
import datetime
import json

import jinja2
import jinja2.ext
import jinja2.sandbox

NOW = datetime.datetime(2025, 7, 10, 12, 0, 0)


class Generation(jinja2.ext.Extension):
    """{% generation %}: the tokenizers record where the text stands; the text is the body's."""
    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("_support")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(lineno)

    @staticmethod
    def _support(caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def environment(now=True):
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    if now:
        env.globals["strftime_now"] = NOW.strftime
    return env


def render(env, template, context):
    """(text, None) or (None, 'format' for a template that is none, 'invalid-argument' for one that
    fails)."""
    try:
        compiled = env.from_string(template)
    except (jinja2.exceptions.TemplateSyntaxError, SyntaxError):  # the latter: break outside a loop
        return None, "format"
    try:
        # A filter of jinja2's may change what it is given (indent of a list).
        return compiled.render(**copy.deepcopy(context)), None
    except Exception:  # whatever Python raises, the render fails
        return None, "invalid-argument"
