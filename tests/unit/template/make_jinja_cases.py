#!/usr/bin/python3
"""Writes jinja_cases.json: templates with the texts that Python's jinja2 gives. Run by hand when a
case is added: make_jinja_cases.py > jinja_cases.json (Debian's python3-jinja2)."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import hf_jinja

CONTEXT = {
    "s": "Hello, World", "empty": "", "sp": "  \t padded text \n ", "u": "naïve Ünïcode ☃ 日本 ß",
    "q": "it's \"quoted\" \\ back\nline\ttab", "html": "<a href='x'>&amp;</a>", "csv": "a,b,,c",
    "i": 7, "n": -3, "z": 0, "big": 9007199254740993, "f": 2.5, "g": -0.125, "h": 1e22, "k": 1e-7,
    "t": True, "no": False, "none_value": None,
    "l": [3, 1, 2], "ls": ["b", "A", "c"], "mixed": [1, "two", 3.0, None, True, [4], {"five": 5}],
    "nested": [[1, 2], [3, [4, 5]]], "el": [],
    "d": {"b": 1, "a": 2, "C": 3}, "ed": {}, "deep": {"x": {"y": {"z": "end"}}, "items": "key"},
    "users": [{"name": "bob", "age": 30, "tags": ["x"]}, {"name": "Al", "age": 25, "tags": []},
              {"name": "carl", "age": 30}],
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"},
                 {"role": "assistant", "content": "<think>hm</think> Hello", "tool_calls": [
                     {"type": "function", "function": {"name": "f", "arguments": {"x": 1.0, "y": "é"}}}]},
                 {"role": "user", "content": [{"type": "text", "text": "part"}]}],
    "tools": [{"type": "function", "function": {"name": "f", "description": "does", "parameters": {
        "type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}}}],
    "tree": [{"n": "a", "c": [{"n": "b", "c": []}, {"n": "c", "c": [{"n": "d", "c": []}]}]}],
    "bos_token": "<s>", "eos_token": "</s>",
}

EXPRESSIONS = r"""
s
i
n
f
g
h
k
t
no
none_value
l
ls
mixed
nested
el
d
ed
deep
big
q
[q]
[u]
["a'b", 'c"d', 'e\'f"g', "\x00\x7f\u00a0\u200b\U0001f600\u00ad"]
(1,)
()
(1, 'a')
1, 2
{'a': [1, (2, 3)], 1: none, none: 1.5}
{1: 'a', 1.0: 'b', true: 'c'}
{'a': 1, 'b': 2, 'a': 3}
1.0
100000000000000000.0
1e16
1e15
123456789012345678.0
0.0001
0.00001
1.5e300
1e5
1E+2
1_000
0x1F + 0b101 + 0o17
-0.0
3.14159
1/3
2/1
7 // 2
-7 // 2
7 // -2
7 % 3
-7 % 3
7 % -3
7.5 // 2
-7.5 // 2
-7.5 % 2
7.5 % -2
2 ** 10
2 ** 3 ** 2
-2 ** 2
2 ** 0
1 + 2 * 3 - 4 / 2
(1 + 2) * 3
1 - 1 - 1
+5
--5
-(-i)
true + true
1 + 1.5
'a' + 'b' ~ 'c'
'a' ~ 1 ~ none ~ true ~ 1.0 ~ [1]
'ab' * 3
3 * 'ab'
'ab' * -1
[1] * 2
[1] + [2, 3]
(1,) + (2,)
'%s is %d and %r' % ('x', 3, 'y')
'100%%' % ()
'%s' % 5
'%(a)s' % {'a': 1}
1 == 1.0
1 == true
0 == false
'1' == 1
none == none
none == false
[1, 2] == [1.0, 2]
(1, 2) == [1, 2]
{'a': 1, 'b': 2} == {'b': 2, 'a': 1.0}
undefined_thing == other_undefined
undefined_thing == none
1 < 2
1 < 2 < 3
1 < 3 < 2
3 > 2 >= 2 != 1
'a' < 'b'
'a' < 'B'
[1, 2] < [1, 3]
[1] < [1, 0]
1 < 1.5
true < 2
'ell' in s
'' in s
'x' not in s
2 in l
2.0 in l
'a' in d
1 in d
none in mixed
[4] in mixed
'x' in undefined_thing
3 in range(5)
not t
not not s
not empty and t
t or no
empty or 'default'
none_value or 0 or ''
s and i
z and s
1 and 2 or 3
t and no or 'x'
not 1 == 2
not 'a' in 'b'
'a' if t else 'b'
'a' if no else 'b'
'a' if no
('a' if no else 'b') ~ 'c'
'a' if t else 'b' if no else 'c'
1 if no else 2 if no else 3
s[0]
s[-1]
s[99]
s[1:4]
s[:-1]
s[-5:]
s[::-1]
s[::2]
s[8:2:-2]
s[10:2]
s[:100]
s[-100:3]
u[1:8]
u[::-1]
u[-1]
l[0]
l[-1]
l[5]
l[1:]
l[::-1]
l[:2]
l[:]
l[none:2]
(1,2,3)[1:]
l.0
nested[1][1][0]
nested.1.1.0
d.a
d['a']
d.missing
d['missing']
d.items
deep.x.y.z
deep['x'].y['z']
deep.items is callable
deep['items']
messages[0].content
messages[-1].content[0].text
messages[2].tool_calls[0].function.arguments.x
none_value.foo
i.foo
s.foo
s.upper()
s.lower()
s.title()
"hello wORLD it's 3d-x".title()
s.capitalize()
"ÀÉ ß ŉ".lower()
"àé ß".upper()
"ǆ".title()
"ΟΔΟΣ ΣΑΣ Σ ΑΣ. ΑΣ'Α İ".lower()
"ΐ ŉ և ﬁ ᾳ ﬗ ß".upper()
"ﬁ ᾳ ǅ".title() ~ "ᾼ ǅ a".swapcase()
"①⑨²".isdigit()
s.swapcase()
sp.strip()
sp.lstrip()
sp.rstrip()
sp.strip() | length
'xxhixx'.strip('x')
'xyhixy'.strip('yx')
'xxhi'.lstrip('x')
'hixx'.rstrip('x')
'éaé'.strip('é')
'\n\nabc\n'.strip('\n')
'abc'.strip('')
'a b  c '.split()
csv.split(',')
csv.split(',', 1)
csv.split(',', maxsplit=2)
csv.rsplit(',', 1)
' a b c '.split(none, 1)
' a b c '.rsplit(none, 1)
' a  b c'.rsplit()
''.split()
''.split(',')
'a</think>b</think>c'.split('</think>')[-1]
'abc'.split('abc')
'a\nb\r\nc\rd'.splitlines()
'a\nb\n'.splitlines(true)
'\n'.splitlines()
''.splitlines()
s.startswith('Hell')
s.startswith(('x', 'H'))
s.endswith('ld')
s.endswith(('a', 'b'))
s.startswith('ello', 1)
s.startswith('ello', 1, 3)
s.replace('l', 'L')
s.replace('l', 'L', 1)
s.replace('l', '', 2)
'abc'.replace('', '-')
'abc'.replace('', '-', 2)
s.find('o')
s.find('o', 5)
s.rfind('o')
s.find('zz')
s.index('o')
u.find('☃')
s.count('l')
'aaaa'.count('aa')
s.count('')
', '.join(ls)
''.join([])
'-'.join('abc')
'{} and {}'.format(1, 'x')
'{1}{0}{a}{{}}'.format(1, 2, a='z')
'a-b-c'.partition('-')
'a-b-c'.rpartition('-')
'abc'.partition('x')
'abc'.rpartition('x')
'prefix-x'.removeprefix('prefix-')
'x.txt'.removesuffix('.txt')
'abc'.isalpha()
'ab1'.isalpha()
'123'.isdigit()
'²'.isdigit()
'²'.isdecimal()
'½'.isnumeric()
'a1'.isalnum()
' \n'.isspace()
''.isspace()
'ABC'.isupper()
'abc1'.islower()
'1'.islower()
'7'.zfill(3)
'-7'.zfill(4)
'a'.ljust(3) ~ '|'
'a'.rjust(3, '*')
d.items() | list
d.keys() | list
d.values() | list
d.items()
d.keys()
d.values()
d.keys() | length
d.get('a')
d.get('zz')
d.get('zz', 'dflt')
d.copy()
l.index(1)
l.count(1)
(1, 1).count(1)
s | upper
s | lower
s | length
u | length
l | length
d | length
s | count
undefined_thing | length
sp | trim
'xxaxx' | trim('x')
5 | upper
s | capitalize
'HELLO world' | title
"it's a-b (c) [d] <e>" | title
ls | join
ls | join(', ')
[1, none, 'x', 2.0] | join('-')
users | join(', ', attribute='name')
users | map(attribute='name') | join(',')
ls | first
ls | last
el | first
el | last
s | first
s | last
d | first
d | list
s | list
range(3) | list
'abc' | map('upper') | list
ls | map('upper') | join
[' a ', 'b '] | map('trim') | list
[1.7, '3', 'x'] | map('int') | list
[1, 2] | map('string') | list
users | map(attribute='age') | list
users | map(attribute='tags', default='none') | list
[[1, 2], [3, 4]] | map(attribute=1) | list
[{'a': {'b': 1}}] | map(attribute='a.b') | list
['a', 'b'] | map('replace', 'a', 'x') | list
[1, 2, 3, 4] | select('even') | list
[1, 2, 3, 4] | select('divisibleby', 3) | list
[0, 1, '', 'a', none] | select | list
[0, 1, '', 'a', none] | reject | list
[1, 2, 3] | reject('odd') | list
[1, 2, 3] | select('>', 1) | list
['a', 'b'] | select('in', ['a', 'c']) | list
['a', 'b'] | reject('equalto', 'a') | list
users | selectattr('age', 'equalto', 30) | map(attribute='name') | list
users | selectattr('tags') | map(attribute='name') | list
users | rejectattr('age', 'gt', 26) | map(attribute='name') | list
users | selectattr('tags', 'defined') | list | length
users | rejectattr('tags', 'defined') | map(attribute='name') | first
messages | selectattr('role', '==', 'user') | list | length
messages | selectattr('content', 'string') | map(attribute='role') | join(' ')
undefined_thing | select | list
l | sort
l | sort(reverse=true)
ls | sort
ls | sort(case_sensitive=true)
users | sort(attribute='name') | map(attribute='name') | list
users | sort(attribute='age,name') | map(attribute='name') | list
users | sort(true, false, 'age') | map(attribute='name') | list
[true, 0, 2, 1.5] | sort
[[2, 'a'], [1, 'b']] | sort
'hello' | sort | join
['a', 'A', 'b'] | unique | list
['a', 'A', 'b'] | unique(true) | list
[1, 1.0, true, 2] | unique | list
users | unique(attribute='age') | map(attribute='name') | list
l | reverse | list
s | reverse
d | reverse | list
d.items() | reverse | list
d | items | list
ed | items | list
undefined_thing | items | list
undefined_thing | last
undefined_thing | reverse | list
d | dictsort
d | dictsort(true)
d | dictsort(by='value')
d | dictsort(false, 'value', true)
s | replace('o', '0')
s | replace('o', '0', 1)
5 | replace(5, 6)
'3' | int
'3.9' | int
3.9 | int
-3.9 | int
'abc' | int
'abc' | int(5)
'ff' | int(base=16)
'0xff' | int(0, 16)
' 12 ' | int
'1_000' | int
'' | int
none_value | int
true | int
l | int
'3.5' | float
'abc' | float
'abc' | float(1.5)
3 | float
'1e3' | float
' 1.5 ' | float
'.5' | float
'5.' | float
'inf' | float
'-nan' | float
'1.7976931348623157e308' | float
'123456789.123456789' | float
1 | string
1.0 | string ~ 'x'
none | string
[1] | string
html | e
html | escape
5 | e
html | safe
('<b>' | safe) + '<i>'
'<i>' + ('<b>' | safe)
('<b>' | safe) ~ '<i>'
('<b>' | safe) is escaped
'<b>' is escaped
[html | e]
html | e | e
html | e | forceescape
'a\nb\nc' | indent
'a\nb\nc' | indent(2)
'a\n\nb' | indent(2)
'a\n\nb' | indent(2, true)
'a\n\nb' | indent(2, blank=true)
'a\nb' | indent('>> ', first=true)
'a\nb\n' | indent
'' | indent
[1, 2, 3, 4, 5] | batch(2) | list
[1, 2, 3, 4, 5] | batch(2, 'x') | list
[1, 2, 3, 4, 5] | slice(3) | list
[1, 2, 3, 4, 5] | slice(3, 'x') | list
users | groupby('age') | list | length
users | groupby('name') | map(attribute='grouper') | list
users | groupby('name') | map('first') | list
l | min
l | max
ls | min
ls | max
el | min
users | map(attribute='age') | max
(users | min(attribute='age')).name
l | sum
users | sum(attribute='age')
l | sum(start=10)
[[1], [2]] | sum(start=[])
2.5 | round
3.5 | round
2.675 | round(2)
2.5 | round(0, 'ceil')
2.51 | round(1, 'floor')
-2.5 | round
42 | round
1.005 | round(2)
-5 | abs
-2.5 | abs
'the quick brown_fox' | wordcount
'the quick brown fox jumps over' | truncate(15)
'the quick brown fox jumps over' | truncate(15, true)
'the quick brown fox jumps over' | truncate(15, true, '~', 0)
'short' | truncate(255)
'abc' | center(7) ~ '|'
'%s-%s' | format('a', 1)
'%(x)s' | format(x=1)
d | attr('items') is callable
undefined_thing | default('dd')
undefined_thing | d('dd')
none_value | default('dd')
empty | default('dd', true)
empty | default('dd', boolean=true)
i | default('dd')
undefined_thing.x | default('dd') if no else 'skip'
d | tojson
mixed | tojson
nested | tojson(indent=2)
tools | tojson
tools | tojson(indent=4)
tools[0] | tojson(ensure_ascii=False)
u | tojson
u | tojson(ensure_ascii=true)
'😀' | tojson(true)
q | tojson
'\x00\x1f\x7f/\u2028' | tojson
d | tojson(separators=(',', ':'))
d | tojson(sort_keys=true)
d | tojson(indent=1, sort_keys=true)
[] | tojson(indent=2)
{} | tojson(indent=2)
[[], {}] | tojson(indent=2)
{1: 1, none: 2, true: 3, 2.5: 4} | tojson
(1, 2) | tojson
1.0 | tojson
1e22 | tojson
none | tojson
'<&\'>' | tojson
html | tojson | safe
d | tojson(indent='--')
i is defined
undefined_thing is defined
undefined_thing is undefined
undefined_thing is not defined
d.zz is defined
none_value is none
none_value is not none
undefined_thing is none
s is string
i is string
i is number
f is number
t is number
s is number
i is integer
t is integer
f is float
i is float
t is boolean
i is boolean
t is true
no is false
1 is true
d is mapping
l is mapping
l is sequence
s is sequence
d is sequence
i is sequence
d.items() is sequence
undefined_thing is sequence
l is iterable
s is iterable
i is iterable
d.items() is iterable
undefined_thing is iterable
4 is even
3 is odd
-3 is odd
9 is divisibleby 3
9 is divisibleby(2)
1 is eq 1
1 is equalto 1.0
1 is ne 2
1 is lt 2
2 is ge 2
2 is in [1, 2]
2 is not in [1, 2]
'a' is in 'abc'
'abc' is lower
'ABC' is upper
'a' is sameas 'b' if no else 'skip'
none is sameas none
range is callable
s is callable
'upper' is filter
'nope' is filter
'defined' is test
not i is string
i is not string and s is string
(i is string) or (s is string)
[1, 2] is sequence and [1, 2] is not string
range(5) | list
range(2, 8, 3) | list
range(5, 0, -2) | list
range(0)
range(1, 5)
range(1, 10, 2)
range(3)[1]
range(10) | sum
dict(a=1, b=[2])
dict([('x', 1)])
dict({'a': 1}, b=2)
namespace(a=1).a
namespace()
namespace(a=1, b='x')
strftime_now('%Y-%m-%d')
strftime_now('%d %b %Y')
strftime_now('%A, %B %-d; %H:%M:%S %p %j %y %%')
'a' 'b' "c"
'\u00e9\x41\101\n\t\\\'\"' | tojson
'\q\d'
"a'b" ~ 'c"d'
(s)
((((1))))
[1, 2,]
{'a': 1,}
s.upper().lower().title()
s|upper|lower|length
(s|upper).lower()
'A'|lower == 'a'
-1|abs
(-1)|abs
1 + 2|string if no else 'skip'
'a' ~ 'b' in 'abc'
l + [4] == [3, 1, 2, 4]
messages[1:][0].role
messages[::-1][0].role
(messages | length) - 1
messages|length - 1
'tool_calls' in messages[2]
messages[2].tool_calls is defined and messages[2].tool_calls
messages[0].tool_calls is not defined
messages[1]['content'] is string and messages[1]['content'] is not mapping
'abc'['upper']()
loop is defined
caller is defined
none.x is defined
""
"{{ not a tag }}"
'%}' ~ '}}'
{'a': {'b': {'c': 1}}}['a']['b']['c']
{'}}': 1}
[[[]]]
(1, (2, (3,)))
""" .strip("\n").split("\n")

TEMPLATES = [
    "plain text\n", "plain\n\n", "", "\n", "a\r\nb\rc", "{{ 1 }}\n{{ 2 }}\n",
    "{# comment #}x", "a {# c #} b", "a\n{# c #}\nb", "a\n  {#- c -#}  \nb", "{# a {{ b }} {% c %} #}",
    "{#- a -#} x", "{#+ a +#}\nx", "  {# c #}\n  x",
    "a\n{% if t %}\nb\n{% endif %}\nc", "a\n   {% if t %}   \nb\n   {% endif %}\nc",
    "a {%- if t -%} b {%- endif -%} c", "a\n\n{%- if t %}\nb{% endif -%}\n\nc",
    "a\n  {%+ if t %}\nb{% endif +%}\nc", "  {%+ if t +%}\n x {% endif %}", "{{- 1 -}}  x  {{- 2 }}",
    "a\n  {{ 1 }}\nb", "a \n {{- 1 -}} \n b", "{%if t%}x{%endif%}", "{%- for i in l %}{{i}}{%- endfor %}",
    "x{% if t %}\n\ny{% endif %}", "\u00a0{% if t %}x{% endif %}", "\u2003{%- if t %}x{% endif %}",
    "{% raw %}{{ x }}{% y %}{% endraw %}", "a\n  {% raw %}\n {{ x }}\n  {% endraw %}\nb",
    "{%- raw -%}  {{ x }}  {%- endraw -%}  b", "{% raw %}{% raw %}{% endraw %}",
    "{{ '{{' }}{{ '}}' }}{{ '{%' }}", "{ {% if t %}{ {% endif %}", "{{ {'a': {'b': 1}}.a.b }}", "{{ {'a': {}} }}",
    "{% if no %}a{% elif z %}b{% elif i %}c{% else %}d{% endif %}", "{% if no %}a{% else %}d{% endif %}",
    "{% if undefined_thing %}a{% else %}b{% endif %}", "{% if el or ed or empty or z %}a{% else %}b{% endif %}",
    "{% if t: %}a{% endif %}", "{% if l, %}a{% endif %}",
    "{% for x in l %}{{ x }},{% endfor %}", "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}",
    "{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem is undefined }}{% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for x in [1, 1, 2, 2, 1] %}{% if loop.changed(x) %}{{ x }}{% endif %}{% endfor %}",
    "{% for x in el %}a{% else %}none{% endfor %}", "{% for x in l %}{{ x }}{% else %}none{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}",
    "{% for k, v in d | dictsort %}{{ k }}={{ v }};{% endfor %}", "{% for a, (b, c) in [(1, (2, 3)), (4, [5, 6])] %}{{ a }}{{ b }}{{ c }} {% endfor %}",
    "{% for a, b in nested[:1] %}{{ a }}{{ b }}{% endfor %}", "{% for c in 'añb' %}[{{ c }}]{% endfor %}",
    "{% for x in l if x > 1 %}{{ loop.index }}:{{ x }}/{{ loop.length }} {% endfor %}", "{% for x in l if x > 9 %}a{% else %}none{% endfor %}",
    "{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% for y in ls %}{{ x }}{{ y }}{{ loop.index }} {% endfor %}{{ loop.index }}|{% endfor %}",
    "{% for x in l %}{% set outer = loop %}{% for y in ls %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}",
    "{% for x in undefined_thing %}a{% else %}b{% endfor %}", "{% for x in l|sort|reverse %}{{ x }}{{ loop.last }}{% endfor %}",
    "{% for x in 1, 2, 3 %}{{ x }}{% endfor %}", "{% for x in (1, 2) if x %}{{ x }}{% endfor %}",
    "{%- for n in tree recursive %}{{ n.n }}({{ loop(n.c) }}){{ loop.depth }}{% endfor %}", "{% for n in tree recursive %}{{ n.n }}{% if n.c %}[{{ loop(n.c) }}]{% endif %}{% else %}-{% endfor %}",
    "{% for u in users | groupby('age') %}{{ u.grouper }}:{% for x in u.list %}{{ x.name }},{% endfor %};{% endfor %}",
    "{% for age, us in users | groupby('age') %}{{ age }}:{{ us | length }};{% endfor %}", "{% set g = l | map('string') %}{{ g | join }}{{ g | join }}.",
    "{% set g = [1,2,3] | select %}{{ g | first }}{{ g | list }}", "{% set r = l | reverse %}{{ r | list }}{{ r | list }}",
    "{% set x = 1 %}{{ x }}", "{% set x, y = 1, 2 %}{{ x }}{{ y }}", "{% set (x, y) = (1, 2) %}{{ y }}{{ x }}", "{% set a, b, c = 'xyz' %}{{ c }}{{ b }}{{ a }}",
    "{% set x = 1 %}{% for i in l %}{% set x = i %}{{ x }}{% endfor %}{{ x }}", "{% for i in l %}{{ q2 }}{% set q2 = i %}{{ q2 }}{% endfor %}{{ q2 }}",
    "{% if t %}{% set x = 5 %}{% endif %}{{ x }}", "{% if no %}{% set s = 5 %}{% endif %}{{ s }}", "{% for a in l %}{% if no %}{% set s = 5 %}{% endif %}{{ s }}{% endfor %}",
    "{% set ns = namespace(n=0, found=false) %}{% for x in l %}{% set ns.n = ns.n + x %}{% if x == 1 %}{% set ns.found = true %}{% endif %}{% endfor %}{{ ns.n }}{{ ns.found }}",
    "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}{{ ns.c is defined }}", "{% set x %}a{{ i }}b{% endset %}[{{ x }}]{{ x | length }}", "{% set x | upper %}abc{% endset %}{{ x }}",
    "{% set x | replace('a', 'b') | upper %}abc{% endset %}{{ x }}", "{% set x %}{% set y = 1 %}{{ y }}{% endset %}{{ x }}{{ y }}", "{% set ns = namespace() %}{% set ns.x %}text{% endset %}{{ ns.x }}",
    "{% set x = 'a' %}{% set x = x + 'b' %}{{ x }}", "{% set s = s | upper %}{{ s }}", "{% set x = [1, 2] %}{% set y = x %}{{ y == x }}",
    "{% macro m() %}hi{% endmacro %}{{ m() }}{{ m() }}", "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(b=5, a=4) }} {{ m() }}",
    "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}", "{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}",
    "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}body{{ i }}{% endcall %}", "{% macro m(l) %}{% for x in l %}{{ caller(x, y=1) }}{% endfor %}{% endmacro %}{% call(x, y) m(l) %}<{{ x }}{{ y }}>{% endcall %}",
    "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}", "{% macro a() %}A{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}",
    "{% set x = 1 %}{% macro m() %}{{ x }}{% set x = 3 %}{{ x }}{% endmacro %}{% set x = 2 %}{{ m() }}{{ x }}", "{% macro m(x) %}{% if x %}{{ x }}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(5) }}",
    "{% macro m(a) %}{{ a.x }}{% endmacro %}{{ m({'x': 1}) }}{{ m.name }}", "{% macro m(a, b) %}{{ a }}{{ b is defined }}{% endmacro %}{{ m(*[1, 2]) }}{{ m(**{'a': 3}) }}{{ m(1, **{'b': 3}) }}",
    "{% for x in l %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m(x) -%}\n  a {{ x }}\n{%- endmacro %}\n{{ m(1) }}|{{ m(2) | upper }}", "{% macro m(x, y='d') %}{{ x ~ y }}{% endmacro %}{{ ['a', 'b'] | map('upper') | map('string') | list }}{{ m(m('a')) }}",
    "{% filter upper %}abc{{ s }}{% endfilter %}", "{% filter replace('a', 'b') | upper %}abc{% endfilter %}", "{% filter indent(2) %}a\nb{% endfilter %}", "{% filter trim %}  {% set zz = 1 %}{{ zz }}  {% endfilter %}{{ zz }}",
    "{% with %}{% set x = 1 %}{{ x }}{% endwith %}{{ x }}", "{% with a = 1, b = i %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with i = 1, x = i %}{{ i }}{{ x }}{% endwith %}",
    "{% generation %}a{{ i }}{% endgeneration %}", "{% for m in messages %}{% generation %}{{ m.role }}{% set r = 1 %}{% endgeneration %}{{ r }}{% endfor %}", "a\n  {% generation %}\n  x\n  {% endgeneration %}\nb",
    "{% print 1, s %}", "{% set c = cycler('a', 'b', 'c') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.reset() }}{{ c.current }}", "{% set j = joiner() %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}", "{% set j = joiner('|') %}{{ j() }}a{{ j() }}b",
    "{{ undefined_thing }}", "{{ undefined_thing ~ 'x' }}", "{{ undefined_thing | upper }}", "{{ undefined_thing | join }}", "{{ undefined_thing or 'x' }}", "{{ [undefined_thing] }}", "{{ 'a' if undefined_thing else 'b' }}",
    "{% if 'tool_calls' in messages[2] and messages[2]['tool_calls'] is not none %}{% for c in messages[2].tool_calls %}{{ c.function | tojson }}{% endfor %}{% endif %}",
    "{{ bos_token }}{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + (m.content if m.content is string else m.content[0].text) + '<|end|>\n' }}{% endfor %}",
    "{%- if messages[0]['role'] == 'system' -%}{%- set sys = messages[0]['content'] -%}{%- set rest = messages[1:] -%}{%- endif -%}{{ sys }}{{ rest | length }}",
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}x{% else %}y{% endif %}{% endfor %}", "{%- for m in messages if m.role != 'system' -%}{{ loop.index }}{{ m.role[:1] }}{%- endfor -%}",
    "{% set ns = namespace(last=-1) %}{% for m in messages[::-1] %}{% set idx = (messages | length - 1) - loop.index0 %}{% if m.role == 'user' and ns.last < 0 %}{% set ns.last = idx %}{% endif %}{% endfor %}{{ ns.last }}",
    "{% set tool_names = tools | map(attribute='function') | map(attribute='name') | list %}{{ tool_names | join(', ') }}", "{{ tools | map(attribute='function.name') | list }}",
    "{%- macro render(p) -%}{%- for k, v in p.properties.items() -%}{{ k }}: {{ v.type }}{% if k in p.required %}*{% endif %}{%- endfor -%}{%- endmacro -%}{{ render(tools[0].function.parameters) }}",
    "{{ messages[2].content.split('</think>')[-1].lstrip('\\n') }}|{{ messages[2].content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') }}",
    "{% set content = messages[2].content %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{ content }}",
    "{{ '<think>\n' ~ 'x' ~ '\n</think>\n\n' }}", "{{ '<s>' if not loop }}", "{% set x = {'a': 1} %}{{ x.a }}{{ x['a'] }}{{ x.get('b', 2) }}", "{{ (messages | first).role }}{{ (messages | last)['role'] }}",
    "{{- '' -}}\n", "{{ s }}\n\n\n", "{%- set x = 1 -%}\n\n\n{{- x }}\n", "{% if t -%}\n   x\n   {%- else -%}\n y\n{%- endif %}", "{%- if t %} {{- s }} {%- endif %}",
    "line1\n{%- if no %}\n  no\n{%- else %}\n  yes\n{%- endif %}\nline2", "{% for i in range(3) -%}\n  {{ i }}\n{%- endfor %}", "{% for i in range(3) %}\n  {{ i }}\n{% endfor %}\n", "   {% for i in l %}\n   {{ i }}\n   {% endfor %}\n   end",
]

FAILING = [
    "{{ undefined_thing.x }}", "{{ undefined_thing['x'] }}", "{{ undefined_thing() }}", "{{ undefined_thing + 1 }}", "{{ d.missing.x }}", "{{ 1 + 'a' }}", "{{ 'a' + 1 }}", "{{ [1] + (2,) }}", "{{ none + 1 }}",
    "{{ 1 / 0 }}", "{{ 1 // 0 }}", "{{ 1 % 0 }}", "{{ 1.5 / 0 }}", "{{ 1 < 'a' }}", "{{ none < 1 }}", "{{ [1, 'a'] | sort }}", "{{ 'x' in 1 }}", "{{ 1 in 'abc' }}", "{{ i() }}", "{{ s.upper(1) }}", "{{ s() }}",
    "{{ raise_exception('no') }}", "{% for x in 5 %}{% endfor %}", "{% for a, b in l %}{% endfor %}", "{% set a, b = 1 %}", "{% set a, b = [1] %}", "{{ i | length }}", "{{ none | tojson(foo=1) }}", "{{ undefined_thing | tojson }}",
    "{{ [range] | tojson }}", "{{ {(1, 2): 3} | tojson }}", "{{ range(1, 2, 0) }}", "{{ 'abc'.index('x') }}", "{{ l.index(99) }}", "{{ [[]] | unique | list }}", "{{ {[]: 1} }}", "{{ d[[1]].x }}", "{{ l | batch | list }}",
    "{{ '%d' % 'x' }}", "{{ '%s %s' % 'x' }}", "{{ '%s' % ('a', 'b') }}", "{{ '{}'.format() }}", "{{ '{' .format(1) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=1) }}", "{% macro m() %}{% endmacro %}{% call m() %}x{% endcall %}",
    "{% set ns = 1 %}{% set ns.x = 2 %}", "{{ l[none] + 1 }}", "{{ l[1:'a'] }}", "{{ l[::0] }}", "{{ none_value[1:] }}", "{{ d[1:] + 1 }}", "{{ undefined_thing[1:] }}", "{% for x in l %}{{ loop(x) }}{% endfor %}", "{{ 'a'.split('') }}", "{{ 'a'.replace('x') }}", "{{ -s }}", "{{ l | sum(start='') }}", "{{ ls | sum }}",
    "{{ undefined_thing | int }}", "{{ 5 | items }}{{ 5 | items | list }}", "{{ 'a' is divisibleby 2 }}", "{{ 'x' is even }}", "{{ s | round }}", "{{ s | abs }}", "{{ d | dictsort(by='x') }}", "{{ l | dictsort }}", "{{ 'abc' | truncate(1) }}", "{{ l | map | list }}", "{{ users | selectattr | list }}", "{{ cycler() }}", "{{ ','.join([1]) }}",
    "{{ users | map(attribute='tags.0') | list }}", "{{ 1 ~ 2 + 3 }}", "{{ 5 | first }}", "{{ 5 | list }}", "{{ 5 | join }}", "{{ 5 | indent }}", "{{ dict(1) }}", "{{ -undefined_thing }}", "{{ 1 < undefined_thing }}", "{{ messages[0].content.x.y }}",
]

MALFORMED = [
    "{{", "{{ }}", "{{ 1 + }}", "{{ 1 2 }}", "{{ (1 }}", "{{ 1) }}", "{{ [1 }}", "{{ 'a }}", "{{ a b }}", "{{ a. }}", "{{ a[ }}", "{{ a[] if }}", "{% %}", "{% if %}x{% endif %}", "{% if t %}", "{% if t %}{% endfor %}", "{% endif %}", "{% for %}{% endfor %}", "{% for x %}{% endfor %}",
    "{% for x in %}{% endfor %}", "{% for x in l %}", "{% for 1 in l %}{% endfor %}", "{% set %}", "{% set x = %}", "{% set 1 = 2 %}", "{% set x.y.z = 1 %}", "{% set true = 1 %}", "{% macro %}{% endmacro %}", "{% macro m %}{% endmacro %}", "{% macro m(1) %}{% endmacro %}", "{% macro m(a=1, b) %}{% endmacro %}",
    "{% call x %}{% endcall %}", "{% nosuch %}", "{% else %}", "{% break %}", "{# x", "{% raw %}x", "{{ x | }}", "{{ x is }}", "{{ x if }}", "{{ {1} }}", "{{ {1: } }}", "{{ f(a=1, 2) }}", "{{ f(**a, *b) }}", "{{ ! }}", "{{ a ? b }}", "{{ 1 is 2 is 3 }}", "{% if t %}{% elif %}{% endif %}",
    "{{ '\\x1' }}", "{{ '\\u12' }}", "{% 'a' %}", "{{ a =b }}", "{{ 007 }}", "{{ not }}", "{% filter %}{% endfilter %}", "{% print 1 2 %}", "{{ x }", "{% if t }", "{{ a;b }}", "{{ $ }}", "{{ 1..2 }}", "{{ a.'b' }}", "{{ f(,) }}", "{{ [,] }}", "{% for x in l %}{% else %}{% else %}{% endfor %}",
]

REFUSED = [
    "{% include 'x' %}", "{% import 'x' as y %}", "{% from 'x' import y %}", "{% extends 'x' %}", "{% block b %}{% endblock %}", "{% autoescape true %}{% endautoescape %}", "{{ l | random }}", "{{ lipsum() }}", "{{ s.__class__ }}", "{{ s['__class__'] }}", "{{ s | attr('__class__') }}", "{{ ''.__class__.__mro__ }}",
    "{{ l.append(1) }}", "{{ l.pop() }}", "{{ d.update({}) }}", "{{ d.pop('a') }}", "{{ d.clear() }}", "{{ l.sort() }}", "{{ l | nosuch }}", "{{ l is nosuch }}", "{{ range }}", "{{ s.upper }}", "{{ l | map('upper') }}", "{{ 9223372036854775807 + 1 }}", "{{ 99999999999999999999 }}", "{{ 2 ** 64 }}", "{{ 2 ** -1 }}",
    "{{ 2.5 ** 2 }}", "{{ '{:>5}'.format(1) }}", "{{ '{0.x}'.format(1) }}", "{{ '%5d' % 1 }}", "{{ s.encode() }}", "{{ strftime_now('%c') }}", "{{ '99999999999999999999' | int }}", "{{ l | urlize }}", "{{ 'x' | xmlattr }}", "{% macro m() %}{% endmacro %}{{ m }}", "{% for x in l %}{{ loop }}{% endfor %}", "{{ messages.append(1) }}",
    "{{ range.__globals__ }}", "{{ s.format_map({}) }}", "{{ namespace.__init__ }}", "{{ s.maketrans }}", "{{ l[0, 1] }}", "{{ range(5)[1:] }}", "{{ s.translate({}) }}",
]


LIMITED = [
    "{% set r = range(100000) %}{% for i in r %}{{ -1 in r }}{% endfor %}", "{% set r = range(100000) | list %}{% set q = range(100000) | list %}{% for i in r %}{{ r == q }}{% endfor %}", "{% set r = range(100000) | list %}{% for i in r %}{% set x = r | max %}{% endfor %}",
    "{% set t = 'ab' * 10000000 %}{% for i in range(100000) %}{{ 'c' in t }}{{ t.startswith('b') }}{{ t | length }}{% endfor %}", "{% set t = 'a' * 10000000 %}{% for i in range(100000) %}{{ t | upper | length }}{% endfor %}",
    "{{ range(1000000) }}", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{{ 'x' * 100000000 }}", "{{ [0] * 1000000000 }}", "{{ 'abc' | center(10000000000) }}", "{{ 'a' | indent(100000000000) }}", "{{ l | tojson(indent=100000000000) }}", "{{ " + "(" * 300 + "1" + ")" * 300 + " }}",
    "{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}", "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}", "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
    "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "{% for n in tree recursive %}{{ loop(tree) }}{% endfor %}", "{{ 'a'.replace('', 'b' * 10000000) * 10 }}", "{% for i in range(100000) %}{% set x = [0] * 10000 %}{% endfor %}", "{{ '7'.zfill(9000000000) }}",
    "{{ l | slice(99999999999) | list }}", "{{ l | batch(99999999999, 'x') | list }}", "{{ " + "-" * 400 + "1 }}", "{{ " + "not " * 400 + "1 }}", "{{ " + "[" * 300 + " }}", "{{ a" + ".b" * 300 + " }}", "{{ a" + "|string" * 300 + " }}", "{% if t %}" * 300,
]


def main():
    env = hf_jinja.environment()
    cases = []
    for template in ["{{ %s }}" % x for x in EXPRESSIONS] + TEMPLATES:
        text, error = hf_jinja.render(env, template, CONTEXT)
        if error:
            sys.exit(f"{template!r}: {error}")
        if " object at 0x" in text or "<built-in" in text or "<bound" in text:
            continue
        cases.append({"template": template, "want": text})
    for templates, wanted in ((FAILING, "invalid-argument"), (MALFORMED, "format")):
        for template in templates:
            text, error = hf_jinja.render(env, template, CONTEXT)
            if error != wanted:
                sys.exit(f"{template!r}: {error} instead of {wanted}: {text}")
            cases.append({"template": template, "error": wanted})
    cases += [{"template": template, "error": "unsupported"} for template in REFUSED]
    cases += [{"template": template, "error": "limit"} for template in LIMITED]
    json.dump({"context": CONTEXT, "cases": cases}, sys.stdout, ensure_ascii=False, indent=0)
    print()


if __name__ == "__main__":
    main()
