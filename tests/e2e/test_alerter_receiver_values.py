"""Values of receivers' settings: each odd one is taken or refused as Debian's amtool has it, but for named exceptions; and every
setting of the newest Alertmanager is known. (C2, F16)"""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from odd_values import judge, unexplained
from servers import binary

# What amtool of Debian knows: an entry that is right, and its settings.
KINDS = {
    "email": ("to: a@b, from: a@b, smarthost: 'h:25'", "to from smarthost hello auth_username auth_password auth_secret auth_identity require_tls headers text html tls_config"),
    "pagerduty": ("routing_key: k", "routing_key service_key url client client_url description severity class component group details images links"),
    "slack": ("api_url: 'http://s/'", "api_url channel username color title title_link text fields short_fields image_url thumb_url actions pretext fallback callback_id footer "
              "icon_emoji icon_url link_names mrkdwn_in"),
    "opsgenie": ("api_key: k", "api_key api_url message description source details responders tags note priority entity actions update_alerts"),
    "victorops": ("api_key: k, routing_key: r", "api_key api_url routing_key message_type state_message entity_display_name monitoring_tool custom_fields"),
    "pushover": ("user_key: u, token: t", "user_key token title message url url_title sound priority retry expire html"),
    "telegram": ("bot_token: t, chat_id: 1", "bot_token api_url chat_id message disable_notifications parse_mode"),
    "discord": ("webhook_url: 'http://d/'", "webhook_url title message"),
    "webex": ("room_id: R, http_config: {authorization: {credentials: T}}", "api_url room_id message http_config"),
    "sns": ("topic_arn: a, sigv4: {region: r, access_key: a, secret_key: s}", "api_url topic_arn target_arn phone_number subject message attributes sigv4"),
    "wechat": ("api_secret: s, corp_id: c", "api_url api_secret corp_id agent_id to_user to_party to_tag message message_type"),
    "webhook": ("url: 'http://w/'", "url max_alerts send_resolved http_config"),
}
GLOBALS = ("smtp_from smtp_smarthost smtp_hello smtp_auth_username smtp_auth_password smtp_auth_secret smtp_auth_identity smtp_require_tls slack_api_url pagerduty_url "
           "opsgenie_api_key opsgenie_api_url wechat_api_url wechat_api_secret wechat_api_corp_id victorops_api_key victorops_api_url telegram_api_url webex_api_url")
TEXTS = ["", "''", "x", "0", "1.5", "true", "'true'", "[]", "[a]", "{}", "{a: b}", "{a: [b]}", "'{{ .Status }}'", "'{{ .Bad'", "'http://h/'"]
MORE = {
    "bool": ["True", "yes", "off", "y", "1", "null"],
    "url": ["'http://h:80/x?y=z'", "'HTTP://h/'", "'ftp://h/'", "'h:80'", "'http://'", "'http:///x'", "'http://h h/'", "'http://h/%zz'", "'http://[::1'", "'http://[::1]:9/'",
            "'http://h:x/'", "'http://u:p@h/'", "'/x'", "null"],
    "number": ["1", "-1", "1.0", "1e3", "0x10", "0o7", "1_000", ".inf", "'1'", "99999999", "18446744073709551616", "null"],
    "duration": ["5m", "1.5h", "'.5h'", "1h30m", "1h1ms", "0s", "-5m", "5", "1d", "5us", "1h 5m", "'+5m'", "null"],
    "map": ["{a: {b: c}}", "{a: null}", "{1: a}", "[{a: b}]", "{a: '{{ .B'}"],
    "list": ["[null]", "['']", "[[a]]", "[{a: b}]", "[1]", "null"],
}
SORTS = {
    "bool": "short_fields link_names update_alerts html disable_notifications require_tls smtp_require_tls send_resolved",
    "url": "api_url webhook_url slack_api_url pagerduty_url opsgenie_api_url wechat_api_url victorops_api_url telegram_api_url webex_api_url",
    "number": "chat_id max_alerts", "duration": "retry expire", "map": "details custom_fields attributes headers", "list": "fields actions mrkdwn_in images links responders",
}
OWN = {
    "slack.fields": ["[{title: a}]", "[{title: a, value: b, short: true}]", "[{title: a, value: b, short: x}]", "[{title: a, value: b, nope: x}]", "[{title: '', value: b}]",
                     "[{title: a, value: [b]}]", "{title: a, value: b}", "[{title: 1, value: true}]", "[x]"],
    "slack.actions": ["[{type: button, text: t, url: u}]", "[{type: button, text: t}]", "[{type: button, text: t, name: n, confirm: {text: t, ok_text: o}}]", "[{text: t, url: u}]",
                      "[{type: button, text: t, name: n, confirm: {title: t}}]", "[{type: button, text: t, name: n, confirm: x}]", "[{type: button, text: t, url: u, nope: x}]"],
    "pagerduty.images": ["[{src: s, alt: a, href: h}]", "[{src: s, nope: a}]", "[{src: [s]}]", "{src: s}", "[{}]"],
    "pagerduty.links": ["[{href: h, text: a}]", "[{href: s, nope: a}]", "[{href: [s]}]", "[s]"],
    "opsgenie.responders": ["[{id: i, type: team}]", "[{id: i}]", "[{type: team}]", "[{id: i, type: Teams}]", "[{id: i, type: nope}]", "[{id: i, type: '{{ .Status }}'}]",
                            "[{name: i, type: user, nope: x}]", "[{id: '', type: team}]", "[{username: u, type: schedule}]", "[{id: [i], type: team}]"],
    "victorops.custom_fields": ["{x: y}", "{entity_id: y}", "{message_type: y}", "{routing_key: x}", "{monitoring_tool: x}", "{entity_state: x}"],
    "email.headers": ["{subject: x, Subject: y}", "{a-b: x, A-B: y}", "{X: 1}"],
    "email.smarthost": ["'h:'", "':25'", "'h:smtp'", "'[::1]:25'", "'::1:25'", "'h:99999'", "'h:25:x'"],
    "telegram.chat_id": ["-100123", "'@name'", "9223372036854775807", "9223372036854775808"],
    "telegram.parse_mode": ["null", "Markdown", "MarkdownV2", "html", "Nope"],
    "wechat.message_type": ["null", "text", "markdown", "Text", "file"],
    "webex.http_config": ["null", "{basic_auth: {username: a, password: b}}", "{authorization: {}}", "{bearer_token: T}"],
    "sns.sigv4": ["{region: r}", "{access_key: a, secret_key: s}", "{region: r, access_key: a}", "{region: r, secret_key: s}", "{nope: r}"],
    "pushover.html": ["true, monospace: true"],
    "webhook.http_config": ["{proxy_url: 'p:1'}", "{proxy_url: p}", "{proxy_url: ''}", "{proxy_url: '://'}", "{follow_redirects: x}", "{tls_config: {min_version: TLS99}}",
                            "{oauth2: {client_id: a, client_secret: s, token_url: 'http://t', scopes: a}}", "{tls_config: {cert_file: a}}"],
}
PAGE = "%sroute: {receiver: r}\nreceivers: [{name: r, %s_configs: [{%s}]}]\n"


def values(kind, name):
    return TEXTS + [v for sort, names in SORTS.items() if name in names.split() for v in MORE[sort]] + OWN.get(f"{kind}.{name}", [])


def cases():
    for kind, (base, names) in KINDS.items():
        for name in names.split():
            others = ", ".join(part for part in re.split(r", (?=\w+: )(?![^{]*})", base) if not part.startswith(name + ":"))
            for value in values(kind, name):
                yield f"{kind}.{name} = {value}", PAGE % ("", kind, ", ".join(filter(None, [others, f"{name}: {value}"])))
    for name in GLOBALS.split():
        for value in values("global", name):
            yield f"global.{name} = {value}", PAGE % (f"global: {{{name}: {value}}}\n", "webhook", KINDS["webhook"][0])


@pytest.mark.skipif(not shutil.which("amtool"), reason="Debian's amtool (package prometheus-alertmanager) is not installed")
def test_odd_values_are_taken_as_amtool_takes_them(box, monkeypatch):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    judged = judge(box, dict(cases()), "amtool", r".*\{\{ \.B.*")
    assert unexplained(judged, Path(__file__).parent / "odd_alertmanager.tsv") == []
    assert len(judged) > 2000 and sum(not theirs for _, theirs in judged.values()) > 1000


# What the documentation of the newest Alertmanager names: texts, then what is none. Secrets, with a star, may be in a file.
FIELDS = {"fields": [{"title": "t", "value": "v", "short": True}], "short_fields": True}
ALL = {
    "webhook": ("", {"url*": "http://w/", "max_alerts": 1, "timeout": "5s", "payload": {"a": "b"}}),
    "email": ("to from hello auth_username auth_password* auth_secret* auth_identity text html", {
        "smarthost": "h:25", "require_tls": True, "force_implicit_tls": False, "headers": {"a": "b"}, "tls_config": {"insecure_skip_verify": True},
        "threading": {"enabled": True, "thread_by_date": "none"}}),
    "pagerduty": ("routing_key* service_key* client client_url description severity source class component group", {
        "url": "http://p/", "details": {"a": {"b": "c"}}, "images": [{"src": "s"}], "links": [{"href": "h"}], "timeout": "5s"}),
    "slack": ("app_token* channel username color title title_link text image_url thumb_url pretext fallback callback_id footer icon_emoji icon_url message_text", {
        **FIELDS, "api_url*": "http://s/chat.postMessage", "app_url": "http://s/", "actions": [{"type": "b", "text": "t", "url": "u"}], "link_names": True, "mrkdwn_in": ["text"],
        "message_strategy": "thread", "update_message": False, "threaded_options": {"resolve_emoji": "e", "summary_header": {"resolve_color": "c"}}, "timeout": "5s"}),
    "mattermost": ("channel username color title title_link text image_url thumb_url fallback pretext footer icon_url icon_emoji", {
        **FIELDS, "webhook_url*": "http://m/", "attachments": [{"text": "t"}], "props": {"card": "c"}, "priority": {"priority": "urgent", "requested_ack": True}}),
    "rocketchat": ("token_id* token* channel color title title_link text image_url thumb_url emoji icon_url", {
        **FIELDS, "api_url": "http://r/", "actions": [{"type": "b"}], "link_names": True}),
    "opsgenie": ("api_key* message description source tags note priority entity actions", {
        "api_url": "http://o/", "details": {"a": "b"}, "responders": [{"name": "n", "type": "team"}], "update_alerts": True}),
    "victorops": ("api_key* routing_key message_type state_message entity_display_name monitoring_tool", {"api_url": "http://v/", "custom_fields": {"a": "b"}}),
    "pushover": ("user_key* token* title message url url_title device sound priority", {"retry": "1m", "expire": "1h", "ttl": "1h", "html": True, "monospace": False}),
    "telegram": ("bot_token* message", {"api_url": "http://t/", "chat_id*": -100, "message_thread_id": 2, "disable_notifications": True, "parse_mode": "HTML"}),
    "discord": ("title content message username avatar_url", {"webhook_url*": "http://d/"}),
    "msteams": ("title summary text", {"webhook_url*": "http://d/"}), "msteamsv2": ("title text", {"webhook_url*": "http://d/"}),
    "webex": ("room_id message", {"api_url": "http://w/"}),
    "sns": ("api_url topic_arn subject message", {"attributes": {"a": "b"}, "sigv4": {"region": "r", "access_key": "a", "secret_key": "s"}}),
    "wechat": ("api_secret* corp_id agent_id to_user to_party to_tag message", {"api_url": "http://w/", "message_type": "markdown"}),
    "jira": ("project issue_type summary description priority reopen_transition resolve_transition wont_fix_resolution", {
        "api_url": "http://j/", "api_type": "cloud", "labels": ["a"], "reopen_duration": "1h", "fields": {"a": {"b": 1}}}),
    "incidentio": ("", {"url*": "http://i/", "alert_source_token*": "x", "max_alerts": 1, "timeout": "5s"}),
}
HTTP = {"http_config": {"authorization": {"type": "Bearer", "credentials": "T"}, "proxy_url": "http://p", "no_proxy": "x", "follow_redirects": False, "enable_http2": False,
                        "http_headers": {"X": {"values": ["a"]}}, "tls_config": {"server_name": "s"}}}


def test_every_setting_is_known(box):
    """As a value and, secrets, in a file; a name nobody knows is no setting, with the nearest that is."""
    paths = []
    for kind, (texts, typed) in ALL.items():
        own = {"send_resolved": False, **{name: "x" for name in texts.split()}, **typed, **(HTTP if kind != "email" else {})}
        files = {name.replace("*", "_file"): str(box.write(f"{kind}.{name}", str(value))) for name, value in own.items() if "*" in name}
        values = {name.strip("*"): value for name, value in own.items()}
        for entry in (values, {**{k: v for k, v in values.items() if f"{k}_file" not in files}, **files}):
            paths.append(box.write(f"{len(paths)}.yml", json.dumps({"route": {"receiver": "r"}, "receivers": [{"name": "r", f"{kind}_configs": [entry]}]})))
    done = subprocess.run([binary("tocsin-alerter"), "check", "config", *paths], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    unknown = box.write("unknown.yml", PAGE % ("", "telegram", "bot_token: t, chat_id: 1, messages: x"))
    done = subprocess.run([binary("tocsin-alerter"), "check", "config", unknown], capture_output=True, text=True, timeout=600)
    assert done.returncode == 1 and 'unknown.yml:2:69: unknown key "messages": did you mean "message"?' in done.stdout + done.stderr
