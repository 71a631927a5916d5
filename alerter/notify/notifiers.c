/* The receivers that are one request, a row each. Limits of length are the services' own.
 * Sources: Alertmanager documentation (settings and their defaults); developer documentation of each service (requests). */
#include "notify/notifier.h"

#define SENDS(kind_name, ends, per_destination, gap)                                                                               \
	.kind = {.name = kind_name,                                                                                                \
		 .repeats = true,                                                                                                  \
		 .ends_by_default = ends,                                                                                          \
		 .max_in_flight = per_destination,                                                                                 \
		 .gap_ms = gap,                                                                                                    \
		 .render = notifier_render,                                                                                        \
		 .advance = notifier_advance,                                                                                      \
		 .secrets = notifier_secrets},                                                                                     \
	.list = kind_name "_configs"
#define ROWS(rows)                  .settings = rows, .n_settings = ARRAY_LEN(rows)
#define DEFAULT(name)               "{{ template \"" name "\" . }}"
#define BY_STATUS(firing, resolved) "{{ if eq .Status \"firing\" }}" firing "{{ else }}" resolved "{{ end }}"
#define IS_FIRING                   "(eq .status \"firing\")"

static const struct setting_row pagerduty[] = {
    {"routing_key", NULL, SETTING_SECRET, NULL},
    {"service_key", NULL, SETTING_SECRET, NULL},
    {"url", "https://events.pagerduty.com/v2/enqueue", SETTING_SECRET, "pagerduty_url"},
    {"client", DEFAULT("pagerduty.default.client"), 0, NULL},
    {"client_url", DEFAULT("pagerduty.default.clientURL"), 0, NULL},
    {"description", DEFAULT("pagerduty.default.description"), 0, NULL},
    {"severity", "error", 0, NULL},
    {"source", NULL, 0, NULL},
    {"class", NULL, 0, NULL},
    {"component", NULL, 0, NULL},
    {"group", NULL, 0, NULL},
    {"details", NULL, SETTING_TREE, NULL},
    {"images", NULL, SETTING_TREE, NULL},
    {"links", NULL, SETTING_TREE, NULL},
    {"_firing", "{{ template \"pagerduty.default.instances\" .Alerts.Firing }}", SETTING_HIDDEN, NULL},
    {"_resolved", "{{ template \"pagerduty.default.instances\" .Alerts.Resolved }}", SETTING_HIDDEN, NULL},
    {"_num_firing", "{{ .Alerts.Firing | len }}", SETTING_HIDDEN, NULL},
    {"_num_resolved", "{{ .Alerts.Resolved | len }}", SETTING_HIDDEN, NULL},
};
static const char pagerduty_body[] =
    "{{ $details := merge (dict \"firing\" (cutBytes 200000 ._firing) \"resolved\" (cutBytes 100000 ._resolved) \"num_firing\" ._num_firing \"num_resolved\" "
    "._num_resolved) .details }}"
    "{{ if gt (len (toJson $details)) 400000 }}{{ $details = dict \"note\" \"The details are left out: an event takes 512 kB at most.\" }}{{ end }}"
    "{{ if .service_key }}"
    "{{ toJson (object \"service_key\" .service_key \"event_type\" (choose " IS_FIRING " \"trigger\" \"resolve\") \"incident_key\" "
    ".episode \"description\" (cut 1024 .description) \"client\" .client \"client_url\" .client_url \"details\" $details) }}"
    "{{ else }}"
    "{{ toJson (object \"routing_key\" .routing_key \"event_action\" (choose " IS_FIRING " \"trigger\" \"resolve\") \"dedup_key\" "
    ".episode \"client\" .client \"client_url\" .client_url \"images\" .images \"links\" .links \"payload\" (object \"summary\" "
    "(or (cut 1024 .description) \"alert\") \"source\" (or .source .client \"tocsin\") \"severity\" (or .severity \"error\") "
    "\"class\" .class \"component\" .component \"group\" .group \"custom_details\" $details)) }}"
    "{{ end }}";

/* What Slack, Mattermost and Rocket.Chat call an attachment. */
#define ATTACHMENT_ROWS(kind, color)                                                                                               \
	{"color", color, 0, NULL}, {"title", DEFAULT(kind ".default.title"), 0, NULL},                                             \
	    {"title_link", DEFAULT(kind ".default.titlelink"), 0, NULL}, {"text", DEFAULT(kind ".default.text"), 0, NULL},         \
	    {"fields", NULL, SETTING_TREE, NULL}, {"short_fields", "false", SETTING_PLAIN, NULL}, {"image_url", NULL, 0, NULL},    \
	    {"thumb_url", NULL, 0, NULL},                                                                                          \
	{                                                                                                                          \
		"actions", NULL, SETTING_TREE, NULL                                                                                \
	}

static const struct setting_row slack[] = {
    {"api_url", NULL, SETTING_SECRET, "slack_api_url"},
    {"app_token", NULL, SETTING_SECRET | SETTING_ACCESS, "slack_app_token"},
    {"app_url", "https://slack.com/api/chat.postMessage", SETTING_SECRET, "slack_app_url"},
    {"channel", NULL, SETTING_ADDRESS, NULL},
    {"username", DEFAULT("slack.default.username"), 0, NULL},
    ATTACHMENT_ROWS("slack", BY_STATUS("danger", "good")),
    {"pretext", DEFAULT("slack.default.pretext"), 0, NULL},
    {"fallback", DEFAULT("slack.default.fallback"), 0, NULL},
    {"callback_id", DEFAULT("slack.default.callbackid"), 0, NULL},
    {"footer", DEFAULT("slack.default.footer"), 0, NULL},
    {"icon_emoji", DEFAULT("slack.default.iconemoji"), 0, NULL},
    {"icon_url", DEFAULT("slack.default.iconurl"), 0, NULL},
    {"link_names", "false", SETTING_PLAIN, NULL},
    {"mrkdwn_in", NULL, SETTING_TREE, NULL},
    {"message_text", NULL, 0, NULL},
    {"message_strategy", "new", SETTING_PLAIN, NULL},
    {"update_message", "false", SETTING_PLAIN, NULL},
    {"threaded_options", NULL, SETTING_TREE, NULL},
};

static const struct setting_row mattermost[] = {
    {"webhook_url", NULL, SETTING_SECRET, "mattermost_webhook_url"},
    {"channel", NULL, SETTING_ADDRESS, NULL},
    {"username", DEFAULT("mattermost.default.username"), 0, NULL},
    ATTACHMENT_ROWS("mattermost", BY_STATUS("#c9302c", "#2e8540")),
    {"fallback", DEFAULT("mattermost.default.fallback"), 0, NULL},
    {"pretext", NULL, 0, NULL},
    {"footer", NULL, 0, NULL},
    {"icon_url", NULL, 0, NULL},
    {"icon_emoji", NULL, 0, NULL},
    {"attachments", NULL, SETTING_TREE, NULL},
    {"props", NULL, SETTING_TREE, NULL},
    {"priority", NULL, SETTING_TREE, NULL},
};

static const struct setting_row rocketchat[] = {
    {"api_url", "https://open.rocket.chat/", SETTING_SECRET, "rocketchat_api_url"},
    {"token_id", NULL, SETTING_SECRET | SETTING_ACCESS, "rocketchat_token_id"},
    {"token", NULL, SETTING_SECRET | SETTING_ACCESS, "rocketchat_token"},
    {"channel", NULL, SETTING_ADDRESS, NULL},
    ATTACHMENT_ROWS("rocketchat", BY_STATUS("#c9302c", "#2e8540")),
    {"emoji", DEFAULT("rocketchat.default.emoji"), 0, NULL},
    {"icon_url", DEFAULT("rocketchat.default.iconurl"), 0, NULL},
    {"link_names", "false", SETTING_PLAIN, NULL},
    {"_alias", DEFAULT("rocketchat.default.alias"), SETTING_HIDDEN, NULL},
};

static const struct setting_row opsgenie[] = {
    {"api_key", NULL, SETTING_SECRET | SETTING_ACCESS, "opsgenie_api_key"},
    {"api_url", "https://api.opsgenie.com/", SETTING_SECRET, "opsgenie_api_url"},
    {"message", DEFAULT("opsgenie.default.message"), 0, NULL},
    {"description", DEFAULT("opsgenie.default.description"), 0, NULL},
    {"source", DEFAULT("opsgenie.default.source"), 0, NULL},
    {"details", NULL, SETTING_TREE, NULL},
    {"responders", NULL, SETTING_TREE, NULL},
    {"tags", NULL, 0, NULL},
    {"note", NULL, 0, NULL},
    {"priority", NULL, 0, NULL},
    {"entity", NULL, 0, NULL},
    {"actions", NULL, 0, NULL},
    {"visible_to", NULL, SETTING_TREE, NULL},
    {"update_alerts", "false", SETTING_PLAIN, NULL},
};

static const struct setting_row victorops[] = {
    {"api_key", NULL, SETTING_SECRET | SETTING_ACCESS, "victorops_api_key"},
    {"api_url", "https://alert.victorops.com/integrations/generic/20131114/alert/", SETTING_SECRET, "victorops_api_url"},
    {"routing_key", NULL, SETTING_ADDRESS, NULL},
    {"message_type", "CRITICAL", 0, NULL},
    {"state_message", DEFAULT("victorops.default.state_message"), 0, NULL},
    {"entity_display_name", DEFAULT("victorops.default.entity_display_name"), 0, NULL},
    {"monitoring_tool", DEFAULT("victorops.default.monitoring_tool"), 0, NULL},
    {"custom_fields", NULL, SETTING_TREE, NULL},
};

static const struct setting_row pushover[] = {
    {"user_key", NULL, SETTING_SECRET, NULL},
    {"token", NULL, SETTING_SECRET | SETTING_ACCESS, NULL},
    {"api_url", "https://api.pushover.net/1/messages.json", SETTING_SECRET, NULL},
    {"title", DEFAULT("pushover.default.title"), 0, NULL},
    {"message", DEFAULT("pushover.default.message"), 0, NULL},
    {"url", DEFAULT("pushover.default.url"), 0, NULL},
    {"url_title", NULL, 0, NULL},
    {"_ack", "{{ .AckURL }}", SETTING_HIDDEN, NULL},
    {"device", NULL, 0, NULL},
    {"sound", NULL, 0, NULL},
    {"priority", BY_STATUS("2", "0"), 0, NULL},
    {"retry", "1m", SETTING_SECONDS, NULL},
    {"expire", "1h", SETTING_SECONDS, NULL},
    {"ttl", "0s", SETTING_SECONDS, NULL},
    {"html", "false", SETTING_PLAIN, NULL},
    {"monospace", "false", SETTING_PLAIN, NULL},
};

static const struct setting_row telegram[] = {
    {"bot_token", NULL, SETTING_SECRET | SETTING_ACCESS, "telegram_bot_token"},
    {"api_url", "https://api.telegram.org", SETTING_SECRET, "telegram_api_url"},
    {"chat_id", NULL, SETTING_PLAIN | SETTING_ADDRESS, NULL},
    {"message_thread_id", NULL, SETTING_PLAIN, NULL},
    {"message", DEFAULT("telegram.default.message"), 0, NULL},
    {"disable_notifications", "false", SETTING_PLAIN, NULL},
    {"parse_mode", "HTML", SETTING_PLAIN, NULL},
};

static const struct setting_row discord[] = {
    {"webhook_url", NULL, SETTING_SECRET, NULL},
    {"title", DEFAULT("discord.default.title"), 0, NULL},
    {"content", DEFAULT("discord.default.content"), 0, NULL},
    {"message", DEFAULT("discord.default.message"), 0, NULL},
    {"username", NULL, 0, NULL},
    {"avatar_url", NULL, 0, NULL},
};

static const struct setting_row msteams[] = {
    {"webhook_url", NULL, SETTING_SECRET, NULL},
    {"title", DEFAULT("msteams.default.title"), 0, NULL},
    {"summary", DEFAULT("msteams.default.summary"), 0, NULL},
    {"text", DEFAULT("msteams.default.text"), 0, NULL},
};

static const struct setting_row msteamsv2[] = {
    {"webhook_url", NULL, SETTING_SECRET, NULL},
    {"title", DEFAULT("msteamsv2.default.title"), 0, NULL},
    {"text", DEFAULT("msteamsv2.default.text"), 0, NULL},
};

static const struct setting_row webex[] = {
    {"api_url", "https://webexapis.com/v1/messages", SETTING_SECRET, "webex_api_url"},
    {"room_id", NULL, SETTING_ADDRESS, NULL},
    {"message", DEFAULT("webex.default.message"), 0, NULL},
};

static const struct setting_row incidentio[] = {
    {"url", NULL, SETTING_SECRET, NULL},
    {"alert_source_token", NULL, SETTING_SECRET | SETTING_ACCESS, NULL},
    {"max_alerts", "0", SETTING_PLAIN, NULL},
};

static const struct setting_row sns[] = {
    {"api_url", NULL, SETTING_ADDRESS, NULL},
    {"topic_arn", NULL, SETTING_ADDRESS, NULL},
    {"target_arn", NULL, SETTING_ADDRESS, NULL},
    {"phone_number", NULL, SETTING_ADDRESS, NULL},
    {"subject", DEFAULT("sns.default.subject"), 0, NULL},
    {"message", DEFAULT("sns.default.message"), 0, NULL},
    {"attributes", NULL, SETTING_TREE, NULL},
};

static const struct setting_row wechat[] = {
    {"api_url", "https://qyapi.weixin.qq.com/cgi-bin/", SETTING_SECRET, "wechat_api_url"},
    {"api_secret", NULL, SETTING_SECRET | SETTING_ACCESS, "wechat_api_secret"},
    {"corp_id", NULL, SETTING_LATE, "wechat_api_corp_id"},
    {"agent_id", DEFAULT("wechat.default.agent_id"), SETTING_ADDRESS, NULL},
    {"to_user", DEFAULT("wechat.default.to_user"), SETTING_ADDRESS, NULL},
    {"to_party", DEFAULT("wechat.default.to_party"), SETTING_ADDRESS, NULL},
    {"to_tag", DEFAULT("wechat.default.to_tag"), SETTING_ADDRESS, NULL},
    {"message", DEFAULT("wechat.default.message"), 0, NULL},
    {"message_type", "text", SETTING_PLAIN, NULL},
};

static const struct setting_row jira[] = {
    {"api_url", NULL, SETTING_LATE, "jira_api_url"},
    {"api_type", "auto", SETTING_PLAIN, NULL},
    {"project", NULL, SETTING_ADDRESS, NULL},
    {"issue_type", NULL, 0, NULL},
    {"summary", DEFAULT("jira.default.summary"), 0, NULL},
    {"description", DEFAULT("jira.default.description"), 0, NULL},
    {"labels", NULL, SETTING_TREE, NULL},
    {"priority", DEFAULT("jira.default.priority"), 0, NULL},
    {"reopen_transition", NULL, SETTING_PLAIN, NULL},
    {"resolve_transition", NULL, SETTING_PLAIN, NULL},
    {"wont_fix_resolution", NULL, SETTING_PLAIN, NULL},
    {"reopen_duration", "0s", SETTING_SECONDS, NULL},
    {"fields", NULL, SETTING_TREE | SETTING_JSON, NULL},
};

static const struct setting_row email[] = {
    {"to", NULL, SETTING_ADDRESS, NULL},
    {"from", NULL, 0, "smtp_from"},
    {"smarthost", NULL, SETTING_LATE | SETTING_ACCESS, "smtp_smarthost"},
    {"hello", "localhost", SETTING_LATE | SETTING_ACCESS, "smtp_hello"},
    {"auth_username", NULL, SETTING_LATE | SETTING_ACCESS, "smtp_auth_username"},
    {"auth_password", NULL, SETTING_SECRET | SETTING_ACCESS, "smtp_auth_password"},
    {"auth_secret", NULL, SETTING_SECRET | SETTING_ACCESS, "smtp_auth_secret"},
    {"auth_identity", NULL, SETTING_LATE | SETTING_ACCESS, "smtp_auth_identity"},
    {"require_tls", "true", SETTING_PLAIN, "smtp_require_tls"},
    {"force_implicit_tls", "false", SETTING_PLAIN, "smtp_force_implicit_tls"},
    {"headers", NULL, SETTING_TREE, NULL},
    {"text", DEFAULT("__text_alerts"), 0, NULL},
    {"html", DEFAULT("email.default.html"), SETTING_HTML, NULL},
    {"_subject", DEFAULT("email.default.subject"), SETTING_HIDDEN, NULL},
    {"threading", NULL, SETTING_TREE, NULL},
};

/* Creating an alert that is there counts it and changes nothing of it. */
#define OPSGENIE_UPDATE(what)                                                                                                      \
	"{{ if and .update_alerts .again " IS_FIRING " ." what " }}{{ slash .api_url }}v2/alerts/{{ .episode }}/" what             \
	"?identifierType=alias{{ end }}"

/* With message_strategy thread: a message that is kept up to date at the head of the thread, unless use_summary_header is false. */
#define SLACK_POST   "(or .api_url .app_url)"
#define SLACK_THREAD "(eq .message_strategy \"thread\")"
#define SLACK_HEADER "(and " SLACK_THREAD " (ne (print (at .threaded_options \"use_summary_header\")) \"false\"))"
#define SLACK_MESSAGE(ts, thread_ts)                                                                                               \
	"{{ toJson (object \"channel\" (or .remote_channel .channel) \"ts\" " ts " \"thread_ts\" " thread_ts                       \
	" \"username\" .username \"icon_emoji\" .icon_emoji \"icon_url\" .icon_url \"link_names\" .link_names \"text\" (cut 35000 " \
	".message_text \"\" \"slack\") \"attachments\" (list (object \"title\" (cut 1024 .title .repeat) \"title_link\" "          \
	".title_link \"pretext\" .pretext \"text\" (cut 35000 .text \"\" \"slack\") \"fallback\" .fallback \"callback_id\" "       \
	".callback_id \"image_url\" .image_url \"thumb_url\" .thumb_url \"footer\" .footer \"color\" .color \"fields\" (each "     \
	".fields \"short\" .short_fields) \"actions\" .actions \"mrkdwn_in\" (or .mrkdwn_in (list \"fallback\" \"pretext\" "       \
	"\"text\"))))) }}"

const struct notifier notifiers[] = {
    {
	.kind = {.name = "email",
		 .repeats = true,
		 .ends_by_default = false,
		 .max_in_flight = 2,
		 .render = notifier_render,
		 .advance = email_advance,
		 .secrets = notifier_secrets},
	.list = "email_configs",
	ROWS(email),
	.needs = "to from smarthost",
	.check = config_check_mail,
	.is_mail = true,
    },
    {
	SENDS("pagerduty", true, 4, 0),
	ROWS(pagerduty),
	.needs = "routing_key|service_key",
	.url =
	    "{{ if .service_key }}https://events.pagerduty.com/generic/2010-04-15/create_event.json{{ else }}{{ .url }}{{ end }}",
	.body = pagerduty_body,
    },
    {
	SENDS("slack", false, 1, 1000),
	ROWS(slack),
	.needs = "api_url|app_token",
	.check = config_check_slack,
	.edits = "{{ or .update_message (ne .message_strategy \"new\") }}",
	.url = "{{ if and .remote (or " SLACK_HEADER " (not " SLACK_THREAD ")) }}"
	       "{{ swapEnd \"chat.postMessage\" \"chat.update\" " SLACK_POST " }}{{ else }}{{ " SLACK_POST " }}{{ end }}",
	.headers = {{"Authorization", "{{ if and .app_token (not .api_url) }}Bearer {{ .app_token }}{{ end }}"}},
	.body = "{{ if " SLACK_HEADER " }}"
		"{{ toJson (object \"channel\" (or .remote_channel .channel) \"ts\" .remote \"username\" .username \"icon_emoji\" .icon_emoji "
		"\"icon_url\" .icon_url \"attachments\" (list (object \"title\" (cut 1024 .title) \"title_link\" .title_link \"fallback\" "
		".fallback \"color\" (or (choose " IS_FIRING " \"\" (at .threaded_options \"summary_header\" \"resolve_color\")) .color)))) }}"
		"{{ else }}" SLACK_MESSAGE("(choose " SLACK_THREAD " \"\" .remote)", "(choose " SLACK_THREAD " .remote \"\")") "{{ end }}",
	.more = {{"POST", "{{ if " SLACK_HEADER " }}{{ " SLACK_POST " }}{{ end }}", SLACK_MESSAGE("\"\"", ".remote"), false},
		 {"POST",
		  "{{ if and " SLACK_THREAD " .remote (not " IS_FIRING ") (at .threaded_options \"resolve_emoji\") }}"
		  "{{ swapEnd \"chat.postMessage\" \"reactions.add\" " SLACK_POST " }}{{ end }}",
		  "{{ toJson (object \"channel\" .remote_channel \"timestamp\" .remote \"name\" "
		  "(at .threaded_options \"resolve_emoji\")) }}",
		  true}},
    },
    {
	SENDS("mattermost", true, 1, 200),
	ROWS(mattermost),
	.needs = "webhook_url",
	.url = "{{ .webhook_url }}",
	.body = "{{ toJson (object \"channel\" .channel \"username\" .username \"icon_emoji\" .icon_emoji \"icon_url\" .icon_url "
		"\"props\" .props \"priority\" .priority \"attachments\" (or .attachments (list (object \"title\" (print .title .repeat) "
		"\"title_link\" .title_link \"pretext\" .pretext \"text\" (cut 7600 .text) \"fallback\" .fallback \"image_url\" "
		".image_url \"thumb_url\" .thumb_url \"footer\" .footer \"color\" .color "
		"\"fields\" (each .fields \"short\" .short_fields) \"actions\" .actions)))) }}",
    },
    {
	SENDS("rocketchat", false, 1, 200),
	ROWS(rocketchat),
	.needs = "token token_id",
	.url = "{{ slash .api_url }}api/v1/chat.postMessage",
	.headers = {{"X-Auth-Token", "{{ .token }}"}, {"X-User-Id", "{{ .token_id }}"}},
	.body = "{{ toJson (object \"channel\" .channel \"alias\" ._alias \"emoji\" .emoji \"avatar\" .icon_url \"parseUrls\" "
		".link_names \"attachments\" (list (object \"title\" (print .title .repeat) \"title_link\" .title_link \"text\" "
		"(cut 5000 .text) \"image_url\" .image_url \"thumb_url\" .thumb_url \"color\" .color \"fields\" (each .fields "
		"\"short\" .short_fields) \"actions\" .actions))) }}",
    },
    {
	SENDS("opsgenie", true, 4, 0),
	ROWS(opsgenie),
	.needs = "api_key",
	.url = "{{ slash .api_url }}v2/alerts{{ if ne .status \"firing\" }}/{{ .episode }}/close?identifierType=alias{{ end }}",
	.headers = {{"Authorization", "GenieKey {{ .api_key }}"}},
	.body = "{{ if eq .status \"firing\" }}"
		"{{ toJson (object \"message\" (or (cut 130 .message) \"alert\") \"alias\" .episode \"description\" (cut 15000 "
		".description) \"details\" (merge .labels .details) \"source\" (cut 100 .source) \"responders\" (teams .responders) \"visibleTo\" (teams .visible_to) \"tags\" "
		"(split .tags 20 50) \"note\" (cut 25000 .note) \"priority\" .priority \"entity\" (cut 512 .entity) \"actions\" (split .actions)) }}"
		"{{ else }}{{ toJson (object \"source\" (cut 100 .source) \"note\" (cut 25000 .note)) }}{{ end }}",
	.more = {{"PUT", OPSGENIE_UPDATE("message"), "{{ toJson (object \"message\" (or (cut 130 .message) \"alert\")) }}", false},
		 {"PUT", OPSGENIE_UPDATE("description"), "{{ toJson (object \"description\" (cut 15000 .description)) }}", false}},
    },
    {
	SENDS("victorops", true, 4, 0),
	ROWS(victorops),
	.needs = "api_key routing_key",
	.url = "{{ slash .api_url }}{{ .api_key }}/{{ path .routing_key }}",
	.body =
	    "{{ toJson (merge (object \"message_type\" (choose " IS_FIRING " .message_type \"RECOVERY\") \"entity_id\" .episode "
	    "\"entity_display_name\" .entity_display_name \"state_message\" (cut 20480 .state_message) \"monitoring_tool\" "
	    ".monitoring_tool) .custom_fields) }}",
    },
    {
	SENDS("pushover", true, 1, 500),
	ROWS(pushover),
	.needs = "token user_key",
	.url = "{{ .api_url }}",
	.content_type = "application/x-www-form-urlencoded",
	.html = "{{ .html }}",
	.body =
	    "{{ form (object \"token\" .token \"user\" .user_key \"title\" (cut 250 .title .repeat) \"message\" (or (cut "
	    "1024 .message \"\" (choose .html \"HTML\" \"\")) \"no details\") \"url\" (cut 512 .url) "
	    "\"url_title\" (cut 100 (or .url_title (choose (and ._ack (eq .url ._ack)) \"Acknowledge\" \"\"))) \"priority\" .priority "
	    "\"retry\" .retry \"expire\" .expire \"ttl\" .ttl \"device\" .device \"sound\" .sound \"html\" (choose .html \"1\" "
	    "\"\") \"monospace\" (choose .monospace \"1\" \"\")) }}",
    },
    {
	SENDS("telegram", true, 1, 1000),
	ROWS(telegram),
	.needs = "bot_token chat_id",
	.check = config_check_telegram,
	.url = "{{ slash .api_url }}bot{{ .bot_token }}/sendMessage",
	.html = "{{ if eq .parse_mode \"HTML\" }}true{{ end }}",
	.body = "{{ toJson (object \"chat_id\" .chat_id \"message_thread_id\" .message_thread_id \"text\" "
		"(or (choose .plain (cut 4096 (plain .message .parse_mode) .repeat) (cut 4096 .message (choose (eq .parse_mode \"MarkdownV2\") "
		".repeat_escaped .repeat) .parse_mode)) \"no details\") \"parse_mode\" (choose .plain \"\" .parse_mode) \"disable_notification\" "
		".disable_notifications \"disable_web_page_preview\" true) }}",
    },
    {
	SENDS("discord", true, 1, 500),
	ROWS(discord),
	.needs = "webhook_url",
	.url = "{{ .webhook_url }}",
	.body = "{{ toJson (object \"username\" (cut 80 .username) \"avatar_url\" .avatar_url \"content\" (cut 2000 .content) "
		"\"embeds\" (list (object \"title\" (cut "
		"256 .title .repeat) \"description\" (cut 4096 .message) \"color\" (choose " IS_FIRING
		" 13184044 3048768)))) }}",
    },
    {
	SENDS("msteams", true, 1, 500),
	ROWS(msteams),
	.needs = "webhook_url",
	.url = "{{ .webhook_url }}",
	.body = "{{ toJson (object \"@context\" \"http://schema.org/extensions\" \"@type\" \"MessageCard\" \"title\" (cutBytes 2000 .title "
		".repeat) \"summary\" (cutBytes 2000 .summary) \"text\" (cutBytes 20000 .text) \"themeColor\" (choose " IS_FIRING
		" \"c9302c\" \"2e8540\")) }}",
    },
    {
	SENDS("msteamsv2", true, 1, 500),
	ROWS(msteamsv2),
	.needs = "webhook_url",
	.url = "{{ .webhook_url }}",
	.body = "{{ toJson (object \"type\" \"message\" \"attachments\" (list (object \"contentType\" "
		"\"application/vnd.microsoft.card.adaptive\" \"content\" (object \"$schema\" "
		"\"http://adaptivecards.io/schemas/adaptive-card.json\" \"type\" \"AdaptiveCard\" \"version\" \"1.4\" \"msteams\" "
		"(dict \"width\" \"full\") \"body\" (list (object \"type\" \"TextBlock\" \"text\" (cutBytes 2000 .title .repeat) "
		"\"weight\" \"bolder\" \"size\" \"medium\" \"wrap\" true \"style\" \"heading\" \"color\" (choose " IS_FIRING
		" \"attention\" \"good\")) (object \"type\" \"TextBlock\" \"text\" (cutBytes 20000 .text) \"wrap\" true)))))) }}",
    },
    {
	SENDS("webex", true, 1, 500),
	ROWS(webex),
	.needs = "room_id",
	.url = "{{ .api_url }}",
	.body = "{{ toJson (object \"roomId\" .room_id \"markdown\" (cutBytes 7439 .message .repeat)) }}",
    },
    {
	SENDS("sns", true, 4, 0),
	ROWS(sns),
	.needs = "topic_arn|target_arn|phone_number",
	.signs_aws = true,
	.content_type = "application/x-www-form-urlencoded; charset=utf-8",
	.url = "{{ if .api_url }}{{ .api_url }}{{ else }}https://sns.{{ .region }}.amazonaws.com/{{ end }}",
	.body = "{{ form (merge (object \"Action\" \"Publish\" \"Version\" \"2010-03-31\" \"TopicArn\" .topic_arn \"TargetArn\" "
		".target_arn \"PhoneNumber\" .phone_number \"Subject\" (choose .phone_number \"\" (cutAscii 99 .subject)) \"Message\" (or "
		"(choose .phone_number (cutBytes 1600 .message .repeat) (cutBytes 262144 .message .repeat)) \"no details\") "
		"\"MessageGroupId\" (ifEnds \".fifo\" .topic_arn .episode) \"MessageDeduplicationId\" (ifEnds \".fifo\" .topic_arn .key)) "
		"(entries \"MessageAttributes.entry\" .attributes)) }}",
    },
    {
	.kind = {.name = "wechat",
		 .repeats = true,
		 .ends_by_default = false,
		 .max_in_flight = 1,
		 .gap_ms = 500,
		 .render = notifier_render,
		 .advance = wechat_advance,
		 .secrets = notifier_secrets},
	.list = "wechat_configs",
	ROWS(wechat),
	.needs = "api_secret corp_id",
    },
    {
	.kind = {.name = "jira",
		 .repeats = false,
		 .ends_by_default = true,
		 .max_in_flight = 1,
		 .gap_ms = 100,
		 .render = notifier_render,
		 .advance = jira_advance,
		 .secrets = notifier_secrets},
	.list = "jira_configs",
	ROWS(jira),
	.needs = "api_url project issue_type",
    },
    {
	SENDS("incidentio", true, 4, 0),
	ROWS(incidentio),
	.needs = "url",
	.url = "{{ .url }}",
	.headers = {{"Authorization", "{{ if .alert_source_token }}Bearer {{ .alert_source_token }}{{ end }}"}},
	.body = "{{ .webhook }}",
	.wants_webhook = true,
	.max_bytes = 400000,    /* it refuses 512 kB */
    },
};
const size_t notifier_count = ARRAY_LEN(notifiers);
