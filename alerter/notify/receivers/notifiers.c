/* The receivers that are one request, a row each. Limits of length are the services' own.
 * Sources: Alertmanager documentation (settings and their defaults); developer documentation of each service (requests). */
#include "notify/receivers/notifier.h"

#include "notify/config/config_values.h"

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
#define TEXT(name, fallback)        {name, fallback, 0, NULL, NULL}
#define DEFAULT(name)               "{{ template \"" name "\" . }}"
#define BY_STATUS(firing, resolved) "{{ if eq .Status \"firing\" }}" firing "{{ else }}" resolved "{{ end }}"
#define IS_FIRING                   "(eq .status \"firing\")"

static const struct setting_row pagerduty[] = {
    {"routing_key", NULL, SETTING_SECRET, NULL, NULL},
    {"service_key", NULL, SETTING_SECRET, NULL, NULL},
    {"url", "https://events.pagerduty.com/v2/enqueue", SETTING_SECRET, "pagerduty_url", &value_url},
    TEXT("client", DEFAULT("pagerduty.default.client")),
    TEXT("client_url", DEFAULT("pagerduty.default.clientURL")),
    TEXT("description", DEFAULT("pagerduty.default.description")),
    TEXT("severity", "error"),
    TEXT("source", NULL),
    TEXT("class", NULL),
    TEXT("component", NULL),
    TEXT("group", NULL),
    {"details", NULL, SETTING_TREE, NULL, &value_map},
    {"images", NULL, SETTING_TREE, NULL, &value_images},
    {"links", NULL, SETTING_TREE, NULL, &value_links},
    {"_firing", "{{ template \"pagerduty.default.instances\" .Alerts.Firing }}", SETTING_HIDDEN, NULL, NULL},
    {"_resolved", "{{ template \"pagerduty.default.instances\" .Alerts.Resolved }}", SETTING_HIDDEN, NULL, NULL},
    {"_num_firing", "{{ .Alerts.Firing | len }}", SETTING_HIDDEN, NULL, NULL},
    {"_num_resolved", "{{ .Alerts.Resolved | len }}", SETTING_HIDDEN, NULL, NULL},
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
    "(or (cut 1024 .description) \"alert\") \"source\" (or .source .client \"tocsin\") \"severity\" "
    "(choose (eq .severity \"critical\" \"error\" \"warning\" \"info\") .severity \"error\") "
    "\"class\" .class \"component\" .component \"group\" .group \"custom_details\" $details)) }}"
    "{{ end }}";

/* What Slack, Mattermost and Rocket.Chat call an attachment. */
#define ATTACHMENT_ROWS(kind, color, fields, actions)                                                                              \
	TEXT("color", color), TEXT("title", DEFAULT(kind ".default.title")), TEXT("title_link", DEFAULT(kind ".default.titlelink")), \
	    TEXT("text", DEFAULT(kind ".default.text")), {"fields", NULL, SETTING_TREE, NULL, &fields},                            \
	    {"short_fields", "false", SETTING_PLAIN, NULL, &value_bool}, TEXT("image_url", NULL), TEXT("thumb_url", NULL),         \
	{                                                                                                                          \
		"actions", NULL, SETTING_TREE, NULL, &actions                                                                      \
	}

static const struct setting_row slack[] = {
    {"api_url", NULL, SETTING_SECRET, "slack_api_url", &value_url},
    {"app_token", NULL, SETTING_SECRET | SETTING_ACCESS, "slack_app_token", NULL},
    {"app_url", "https://slack.com/api/chat.postMessage", SETTING_SECRET, "slack_app_url", &value_url},
    {"channel", NULL, SETTING_ADDRESS, NULL, NULL},
    TEXT("username", DEFAULT("slack.default.username")),
    ATTACHMENT_ROWS("slack", BY_STATUS("danger", "good"), value_fields, value_actions),
    TEXT("pretext", DEFAULT("slack.default.pretext")),
    TEXT("fallback", DEFAULT("slack.default.fallback")),
    TEXT("callback_id", DEFAULT("slack.default.callbackid")),
    TEXT("footer", DEFAULT("slack.default.footer")),
    TEXT("icon_emoji", DEFAULT("slack.default.iconemoji")),
    TEXT("icon_url", DEFAULT("slack.default.iconurl")),
    {"link_names", "false", SETTING_PLAIN, NULL, &value_bool},
    {"mrkdwn_in", NULL, SETTING_TREE, NULL, &value_texts},
    TEXT("message_text", NULL),
    {"message_strategy", "new", SETTING_PLAIN, NULL, &value_strategy},
    {"update_message", "false", SETTING_PLAIN, NULL, &value_bool},
    {"threaded_options", NULL, SETTING_TREE, NULL, &value_thread},
};

static const struct setting_row mattermost[] = {
    {"webhook_url", NULL, SETTING_SECRET, "mattermost_webhook_url", &value_url},
    {"channel", NULL, SETTING_ADDRESS, NULL, NULL},
    TEXT("username", DEFAULT("mattermost.default.username")),
    ATTACHMENT_ROWS("mattermost", BY_STATUS("#c9302c", "#2e8540"), value_any_fields, value_maps),
    TEXT("fallback", DEFAULT("mattermost.default.fallback")),
    TEXT("pretext", NULL),
    TEXT("footer", NULL),
    TEXT("icon_url", NULL),
    TEXT("icon_emoji", NULL),
    {"attachments", NULL, SETTING_TREE, NULL, &value_maps},
    {"props", NULL, SETTING_TREE, NULL, &value_map},
    {"priority", NULL, SETTING_TREE, NULL, &value_map},
};

static const struct setting_row rocketchat[] = {
    {"api_url", "https://open.rocket.chat/", SETTING_SECRET, "rocketchat_api_url", &value_url},
    {"token_id", NULL, SETTING_SECRET | SETTING_ACCESS, "rocketchat_token_id", NULL},
    {"token", NULL, SETTING_SECRET | SETTING_ACCESS, "rocketchat_token", NULL},
    {"channel", NULL, SETTING_ADDRESS, NULL, NULL},
    ATTACHMENT_ROWS("rocketchat", BY_STATUS("#c9302c", "#2e8540"), value_any_fields, value_maps),
    TEXT("emoji", DEFAULT("rocketchat.default.emoji")),
    TEXT("icon_url", DEFAULT("rocketchat.default.iconurl")),
    {"link_names", "false", SETTING_PLAIN, NULL, &value_bool},
    {"_alias", DEFAULT("rocketchat.default.alias"), SETTING_HIDDEN, NULL, NULL},
};

static const struct setting_row opsgenie[] = {
    {"api_key", NULL, SETTING_SECRET | SETTING_ACCESS, "opsgenie_api_key", NULL},
    {"api_url", "https://api.opsgenie.com/", SETTING_SECRET, "opsgenie_api_url", &value_url},
    TEXT("message", DEFAULT("opsgenie.default.message")),
    TEXT("description", DEFAULT("opsgenie.default.description")),
    TEXT("source", DEFAULT("opsgenie.default.source")),
    {"details", NULL, SETTING_TREE, NULL, &value_text_map},
    {"responders", NULL, SETTING_TREE, NULL, &value_responders},
    TEXT("tags", NULL),
    TEXT("note", NULL),
    TEXT("priority", NULL),
    TEXT("entity", NULL),
    TEXT("actions", NULL),
    {"visible_to", NULL, SETTING_TREE, NULL, &value_responders},
    {"update_alerts", "false", SETTING_PLAIN, NULL, &value_bool},
};

static const struct setting_row victorops[] = {
    {"api_key", NULL, SETTING_SECRET | SETTING_ACCESS, "victorops_api_key", NULL},
    {"api_url", "https://alert.victorops.com/integrations/generic/20131114/alert/", SETTING_SECRET, "victorops_api_url", &value_url},
    {"routing_key", NULL, SETTING_ADDRESS, NULL, NULL},
    TEXT("message_type", "CRITICAL"),
    TEXT("state_message", DEFAULT("victorops.default.state_message")),
    TEXT("entity_display_name", DEFAULT("victorops.default.entity_display_name")),
    TEXT("monitoring_tool", DEFAULT("victorops.default.monitoring_tool")),
    {"custom_fields", NULL, SETTING_TREE, NULL, &value_custom_fields},
};

static const struct setting_row pushover[] = {
    {"user_key", NULL, SETTING_SECRET, NULL, NULL},
    {"token", NULL, SETTING_SECRET | SETTING_ACCESS, NULL, NULL},
    {"api_url", "https://api.pushover.net/1/messages.json", SETTING_SECRET, NULL, &value_url},
    TEXT("title", DEFAULT("pushover.default.title")),
    TEXT("message", DEFAULT("pushover.default.message")),
    TEXT("url", DEFAULT("pushover.default.url")),
    TEXT("url_title", NULL),
    {"_ack", "{{ .AckURL }}", SETTING_HIDDEN, NULL, NULL},
    TEXT("device", NULL),
    TEXT("sound", NULL),
    TEXT("priority", BY_STATUS("2", "0")),
    {"retry", "1m", SETTING_PLAIN, NULL, &value_seconds},
    {"expire", "1h", SETTING_PLAIN, NULL, &value_seconds},
    {"ttl", "0s", SETTING_PLAIN, NULL, &value_seconds},
    {"html", "false", SETTING_PLAIN, NULL, &value_bool},
    {"monospace", "false", SETTING_PLAIN, NULL, &value_bool},
};

static const struct setting_row telegram[] = {
    {"bot_token", NULL, SETTING_SECRET | SETTING_ACCESS, "telegram_bot_token", NULL},
    {"api_url", "https://api.telegram.org", SETTING_SECRET, "telegram_api_url", &value_url},
    {"chat_id", NULL, SETTING_LATE | SETTING_FILE, NULL, &value_whole},
    {"message_thread_id", NULL, SETTING_PLAIN, NULL, &value_whole},
    TEXT("message", DEFAULT("telegram.default.message")),
    {"disable_notifications", "false", SETTING_PLAIN, NULL, &value_bool},
    {"parse_mode", "HTML", SETTING_PLAIN, NULL, &value_parse_mode},
};

static const struct setting_row discord[] = {
    {"webhook_url", NULL, SETTING_SECRET, NULL, &value_url},
    TEXT("title", DEFAULT("discord.default.title")),
    TEXT("content", DEFAULT("discord.default.content")),
    TEXT("message", DEFAULT("discord.default.message")),
    TEXT("username", NULL),
    TEXT("avatar_url", NULL),
};

static const struct setting_row msteams[] = {
    {"webhook_url", NULL, SETTING_SECRET, NULL, &value_url},
    TEXT("title", DEFAULT("msteams.default.title")),
    TEXT("summary", DEFAULT("msteams.default.summary")),
    TEXT("text", DEFAULT("msteams.default.text")),
};

static const struct setting_row msteamsv2[] = {
    {"webhook_url", NULL, SETTING_SECRET, NULL, &value_url},
    TEXT("title", DEFAULT("msteamsv2.default.title")),
    TEXT("text", DEFAULT("msteamsv2.default.text")),
};

static const struct setting_row webex[] = {
    {"api_url", "https://webexapis.com/v1/messages", SETTING_SECRET, "webex_api_url", &value_url},
    {"room_id", NULL, SETTING_ADDRESS, NULL, NULL},
    TEXT("message", DEFAULT("webex.default.message")),
};

static const struct setting_row incidentio[] = {
    {"url", NULL, SETTING_SECRET, NULL, &value_url},
    {"alert_source_token", NULL, SETTING_SECRET | SETTING_ACCESS, NULL, NULL},
    {"max_alerts", "0", SETTING_PLAIN, NULL, &value_count},
};

static const struct setting_row sns[] = {
    {"api_url", NULL, SETTING_ADDRESS, NULL, NULL},
    {"topic_arn", NULL, SETTING_ADDRESS, NULL, NULL},
    {"target_arn", NULL, SETTING_ADDRESS, NULL, NULL},
    {"phone_number", NULL, SETTING_ADDRESS, NULL, NULL},
    TEXT("subject", DEFAULT("sns.default.subject")),
    TEXT("message", DEFAULT("sns.default.message")),
    {"attributes", NULL, SETTING_TREE, NULL, &value_text_map},
};

static const struct setting_row wechat[] = {
    {"api_url", "https://qyapi.weixin.qq.com/cgi-bin/", SETTING_SECRET, "wechat_api_url", &value_url},
    {"api_secret", NULL, SETTING_SECRET | SETTING_ACCESS, "wechat_api_secret", NULL},
    {"corp_id", NULL, SETTING_LATE, "wechat_api_corp_id", NULL},
    {"agent_id", DEFAULT("wechat.default.agent_id"), SETTING_ADDRESS, NULL, NULL},
    {"to_user", DEFAULT("wechat.default.to_user"), SETTING_ADDRESS, NULL, NULL},
    {"to_party", DEFAULT("wechat.default.to_party"), SETTING_ADDRESS, NULL, NULL},
    {"to_tag", DEFAULT("wechat.default.to_tag"), SETTING_ADDRESS, NULL, NULL},
    TEXT("message", DEFAULT("wechat.default.message")),
    {"message_type", "text", SETTING_PLAIN, NULL, &value_wechat_type},
};

static const struct setting_row jira[] = {
    {"api_url", NULL, SETTING_LATE, "jira_api_url", &value_url},
    {"api_type", "auto", SETTING_PLAIN, NULL, &value_jira_api},
    {"project", NULL, SETTING_ADDRESS, NULL, NULL},
    TEXT("issue_type", NULL),
    TEXT("summary", DEFAULT("jira.default.summary")),
    TEXT("description", DEFAULT("jira.default.description")),
    {"labels", NULL, SETTING_TREE, NULL, &value_texts},
    TEXT("priority", DEFAULT("jira.default.priority")),
    {"reopen_transition", NULL, SETTING_PLAIN, NULL, NULL},
    {"resolve_transition", NULL, SETTING_PLAIN, NULL, NULL},
    {"wont_fix_resolution", NULL, SETTING_PLAIN, NULL, NULL},
    {"reopen_duration", "0s", SETTING_PLAIN, NULL, &value_seconds},
    {"fields", NULL, SETTING_TREE | SETTING_JSON, NULL, &value_map},
};

static const struct setting_row email[] = {
    {"to", NULL, SETTING_ADDRESS, NULL, NULL},
    {"from", NULL, 0, "smtp_from", NULL},
    {"smarthost", NULL, SETTING_LATE | SETTING_ACCESS, "smtp_smarthost", &value_address},
    {"hello", "localhost", SETTING_LATE | SETTING_ACCESS, "smtp_hello", NULL},
    {"auth_username", NULL, SETTING_LATE | SETTING_ACCESS, "smtp_auth_username", NULL},
    {"auth_password", NULL, SETTING_SECRET | SETTING_ACCESS, "smtp_auth_password", NULL},
    {"auth_secret", NULL, SETTING_SECRET | SETTING_ACCESS, "smtp_auth_secret", NULL},
    {"auth_identity", NULL, SETTING_LATE | SETTING_ACCESS, "smtp_auth_identity", NULL},
    {"require_tls", "true", SETTING_PLAIN, "smtp_require_tls", &value_bool},
    {"force_implicit_tls", "false", SETTING_PLAIN, "smtp_force_implicit_tls", &value_bool},
    {"headers", NULL, SETTING_TREE, NULL, &value_headers},
    TEXT("text", DEFAULT("__text_alerts")),
    {"html", DEFAULT("email.default.html"), SETTING_HTML, NULL, NULL},
    {"_subject", DEFAULT("email.default.subject"), SETTING_HIDDEN, NULL, NULL},
    {"threading", NULL, SETTING_TREE, NULL, &value_threading},
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
		"(split .tags 20 50) \"note\" (cut 25000 .note) \"priority\" "
		"(choose (eq .priority \"P1\" \"P2\" \"P3\" \"P4\" \"P5\") .priority \"\") \"entity\" (cut 512 .entity) \"actions\" (split .actions)) }}"
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
	.one_of = "html monospace",
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
	.wants_token = true,
	.url = "{{ .api_url }}",
	.body = "{{ toJson (object \"roomId\" .room_id \"markdown\" (cutBytes 7439 .message .repeat)) }}",
    },
    {
	SENDS("sns", true, 4, 0),
	ROWS(sns),
	.needs = "topic_arn|target_arn|phone_number",
	.one_of = "topic_arn target_arn phone_number",
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
