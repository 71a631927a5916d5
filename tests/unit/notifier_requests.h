/* Each row: the entry under the receiver; what it is sent first; what it is sent at the end. */
	{ "pagerduty_configs: [ { routing_key: KEY, client: c, client_url: u, description: d, details: { a"
	  ": '{{ .Status }}', firing: f, resolved: r }, severity: '{{ .CommonLabels.severity }}', links: ["
	  " { href: 'http://x/', text: x } ] } ]",
	  { "https://events.pagerduty.com/v2/enqueue", "",
	    "{\"routing_key\":\"KEY\",\"event_action\":\"trigger\",\"dedup_key\":\"EPISODE\",\"client\":\"c\",\"client_url\":\""
	    "u\",\"links\":[{\"href\":\"http://x/\",\"text\":\"x\"}],\"payload\":{\"summary\":\"d\",\"source\":\"c\",\"severity\":\""
	    "critical\",\"custom_details\":{\"firing\":\"f\",\"resolved\":\"r\",\"num_firing\":\"1\",\"num_resolved\":\"0\",\"a\""
	    ":\"firing\"}}}" },
	  { "https://events.pagerduty.com/v2/enqueue", "",
	    "{\"routing_key\":\"KEY\",\"event_action\":\"resolve\",\"dedup_key\":\"EPISODE\",\"client\":\"c\",\"client_url\":\""
	    "u\",\"links\":[{\"href\":\"http://x/\",\"text\":\"x\"}],\"payload\":{\"summary\":\"d\",\"source\":\"c\",\"severity\":\""
	    "critical\",\"custom_details\":{\"firing\":\"f\",\"resolved\":\"r\",\"num_firing\":\"0\",\"num_resolved\":\"1\",\"a\""
	    ":\"resolved\"}}}" } },
	{ "pagerduty_configs: [ { service_key: OLD, client: c, client_url: u, description: d, details: { f"
	  "iring: f, resolved: r } } ]",
	  { "https://events.pagerduty.com/generic/2010-04-15/create_event.json", "",
	    "{\"service_key\":\"OLD\",\"event_type\":\"trigger\",\"incident_key\":\"EPISODE\",\"description\":\"d\",\"client\""
	    ":\"c\",\"client_url\":\"u\",\"details\":{\"firing\":\"f\",\"resolved\":\"r\",\"num_firing\":\"1\",\"num_resolved\":\"0"
	    "\"}}" },
	  { "https://events.pagerduty.com/generic/2010-04-15/create_event.json", "",
	    "{\"service_key\":\"OLD\",\"event_type\":\"resolve\",\"incident_key\":\"EPISODE\",\"description\":\"d\",\"client\""
	    ":\"c\",\"client_url\":\"u\",\"details\":{\"firing\":\"f\",\"resolved\":\"r\",\"num_firing\":\"0\",\"num_resolved\":\"1"
	    "\"}}" } },
	{ "slack_configs: [ { api_url: 'https://hooks.slack.com/services/T/B/X', channel: '#ops', title: '"
	  "{{ .GroupLabels.alertname }}', text: '{{ range .Alerts }}{{ .Annotations.summary }}{{ end }}', "
	  "fields: [ { title: sev, value: '{{ .CommonLabels.severity }}', short: true } ], send_resolved: "
	  "true } ]",
	  { "https://hooks.slack.com/services/T/B/X", "",
	    "{\"channel\":\"#ops\",\"username\":\"Tocsin\",\"link_names\":false,\"attachments\":[{\"title\":\"Down\",\"title_"
	    "link\":\"http://tocsin/\",\"text\":\"a<b> is bad\",\"fallback\":\"[FIRING:1] Down (a<b> critical) | http:"
	    "//tocsin/\",\"color\":\"danger\",\"fields\":[{\"short\":true,\"title\":\"sev\",\"value\":\"critical\"}],\"mrkdwn_"
	    "in\":[\"fallback\",\"pretext\",\"text\"]}]}" },
	  { "https://hooks.slack.com/services/T/B/X", "",
	    "{\"channel\":\"#ops\",\"username\":\"Tocsin\",\"link_names\":false,\"attachments\":[{\"title\":\"Down\",\"title_"
	    "link\":\"http://tocsin/\",\"text\":\"a<b> is bad\",\"fallback\":\"[RESOLVED] Down (a<b> critical) | http:"
	    "//tocsin/\",\"color\":\"good\",\"fields\":[{\"short\":true,\"title\":\"sev\",\"value\":\"critical\"}],\"mrkdwn_in"
	    "\":[\"fallback\",\"pretext\",\"text\"]}]}" } },
	{ "slack_configs: [ { app_token: xoxb, channel: C1, title: t, text: x } ]",
	  { "https://slack.com/api/chat.postMessage", "Bearer xoxb",
	    "{\"channel\":\"C1\",\"username\":\"Tocsin\",\"link_names\":false,\"attachments\":[{\"title\":\"t\",\"title_link\""
	    ":\"http://tocsin/\",\"text\":\"x\",\"fallback\":\"[FIRING:1] Down (a<b> critical) | http://tocsin/\",\"col"
	    "or\":\"danger\",\"mrkdwn_in\":[\"fallback\",\"pretext\",\"text\"]}]}" },
	  { NULL, NULL, NULL } },
	{ "mattermost_configs: [ { webhook_url: 'http://mm/hooks/1', title: t, text: x } ]",
	  { "http://mm/hooks/1", "",
	    "{\"username\":\"Tocsin\",\"attachments\":[{\"title\":\"t\",\"title_link\":\"http://tocsin/\",\"text\":\"x\",\"fall"
	    "back\":\"[FIRING:1] Down (a<b> critical) | http://tocsin/\",\"color\":\"#c9302c\"}]}" },
	  { "http://mm/hooks/1", "",
	    "{\"username\":\"Tocsin\",\"attachments\":[{\"title\":\"t\",\"title_link\":\"http://tocsin/\",\"text\":\"x\",\"fall"
	    "back\":\"[RESOLVED] Down (a<b> critical) | http://tocsin/\",\"color\":\"#2e8540\"}]}" } },
	{ "mattermost_configs: [ { webhook_url: 'http://mm/hooks/1', attachments: [ { title: '{{ .Status }}', fields: [ { title: a, value: b, "
	  "short: true } ] }, { text: two } ] } ]",
	  { "http://mm/hooks/1", "",
	    "{\"username\":\"Tocsin\",\"attachments\":[{\"title\":\"firing\",\"fields\":[{\"title\":\"a\",\"value\":\"b\",\"short\":true}]},"
	    "{\"text\":\"two\"}]}" },
	  { "http://mm/hooks/1", "",
	    "{\"username\":\"Tocsin\",\"attachments\":[{\"title\":\"resolved\",\"fields\":[{\"title\":\"a\",\"value\":\"b\",\"short\":true}]},"
	    "{\"text\":\"two\"}]}" } },
	{ "rocketchat_configs: [ { token: T, token_id: U, channel: '#x', title: t, text: x } ]",
	  { "https://open.rocket.chat/api/v1/chat.postMessage", "",
	    "{\"channel\":\"#x\",\"alias\":\"Tocsin\",\"parseUrls\":false,\"attachments\":[{\"title\":\"t\",\"title_link\":\"ht"
	    "tp://tocsin/\",\"text\":\"x\",\"color\":\"#c9302c\"}]}" },
	  { NULL, NULL, NULL } },
	{ "opsgenie_configs: [ { api_key: KEY, message: m, description: d, source: s, tags: 'a, b', priori"
	  "ty: P1, details: { x: '{{ .Status }}' }, responders: [ { type: team, name: ops } ] } ]",
	  { "https://api.opsgenie.com/v2/alerts", "GenieKey KEY",
	    "{\"message\":\"m\",\"alias\":\"EPISODE\",\"description\":\"d\",\"details\":{\"alertname\":\"Down\",\"instance\":\"a<"
	    "b>\",\"severity\":\"critical\",\"x\":\"firing\"},\"source\":\"s\",\"responders\":[{\"type\":\"team\",\"name\":\"ops\"}"
	    "],\"tags\":[\"a\",\"b\"],\"priority\":\"P1\"}" },
	  { "https://api.opsgenie.com/v2/alerts/EPISODE/close?identifierType=alias", "GenieKey KEY",
	    "{\"source\":\"s\"}" } },
	{ "victorops_configs: [ { api_key: KEY, routing_key: 'team a', state_message: s, entity_display_na"
	  "me: n, monitoring_tool: m, custom_fields: { x: y } } ]",
	  { "https://alert.victorops.com/integrations/generic/20131114/alert/KEY/team%20a", "",
	    "{\"message_type\":\"CRITICAL\",\"entity_id\":\"EPISODE\",\"entity_display_name\":\"n\",\"state_message\":\"s\","
	    "\"monitoring_tool\":\"m\",\"x\":\"y\"}" },
	  { "https://alert.victorops.com/integrations/generic/20131114/alert/KEY/team%20a", "",
	    "{\"message_type\":\"RECOVERY\",\"entity_id\":\"EPISODE\",\"entity_display_name\":\"n\",\"state_message\":\"s\","
	    "\"monitoring_tool\":\"m\",\"x\":\"y\"}" } },
	{ "pushover_configs: [ { token: T, user_key: U, title: 't&u', message: '<b>{{ .CommonLabels.instan"
	  "ce }}</b>', url: 'http://x/', html: true } ]",
	  { "https://api.pushover.net/1/messages.json", "",
	    "token=T&user=U&title=t%26u&message=%3Cb%3Ea%26lt%3Bb%26gt%3B%3C%2Fb%3E&url=http%3A%2F%2Fx%2F&pr"
	    "iority=2&retry=60&expire=3600&html=1" },
	  { "https://api.pushover.net/1/messages.json", "",
	    "token=T&user=U&title=t%26u&message=%3Cb%3Ea%26lt%3Bb%26gt%3B%3C%2Fb%3E&url=http%3A%2F%2Fx%2F&pr"
	    "iority=0&retry=60&expire=3600&html=1" } },
	{ "telegram_configs: [ { bot_token: '1:a', chat_id: -100, message: '<b>{{ .CommonLabels.instance }"
	  "}</b>' } ]",
	  { "https://api.telegram.org/bot1:a/sendMessage", "",
	    "{\"chat_id\":-100,\"text\":\"<b>a&lt;b&gt;</b>\",\"parse_mode\":\"HTML\",\"disable_notification\":false,\"disable_web_page_preview\":true}" },
	  { "https://api.telegram.org/bot1:a/sendMessage", "",
	    "{\"chat_id\":-100,\"text\":\"<b>a&lt;b&gt;</b>\",\"parse_mode\":\"HTML\",\"disable_notification\":false,\"disable_web_page_preview\":true}" } },
	{ "discord_configs: [ { webhook_url: 'https://discord/api/webhooks/1/t', title: t, message: m } ]",
	  { "https://discord/api/webhooks/1/t", "",
	    "{\"embeds\":[{\"title\":\"t\",\"description\":\"m\",\"color\":13184044}]}" },
	  { "https://discord/api/webhooks/1/t", "",
	    "{\"embeds\":[{\"title\":\"t\",\"description\":\"m\",\"color\":3048768}]}" } },
	{ "msteams_configs: [ { webhook_url: 'http://teams/1', title: t, summary: s, text: x } ]",
	  { "http://teams/1", "",
	    "{\"@context\":\"http://schema.org/extensions\",\"@type\":\"MessageCard\",\"title\":\"t\",\"summary\":\"s\",\"tex"
	    "t\":\"x\",\"themeColor\":\"c9302c\"}" },
	  { "http://teams/1", "",
	    "{\"@context\":\"http://schema.org/extensions\",\"@type\":\"MessageCard\",\"title\":\"t\",\"summary\":\"s\",\"tex"
	    "t\":\"x\",\"themeColor\":\"2e8540\"}" } },
	{ "msteamsv2_configs: [ { webhook_url: 'http://teams/2', title: t, text: x } ]",
	  { "http://teams/2", "",
	    "{\"type\":\"message\",\"attachments\":[{\"contentType\":\"application/vnd.microsoft.card.adaptive\",\"cont"
	    "ent\":{\"$schema\":\"http://adaptivecards.io/schemas/adaptive-card.json\",\"type\":\"AdaptiveCard\",\"ver"
	    "sion\":\"1.4\",\"msteams\":{\"width\":\"full\"},\"body\":[{\"type\":\"TextBlock\",\"text\":\"t\",\"weight\":\"bolder\""
	    ",\"size\":\"medium\",\"wrap\":true,\"style\":\"heading\",\"color\":\"attention\"},{\"type\":\"TextBlock\",\"text\":"
	    "\"x\",\"wrap\":true}]}}]}" },
	  { "http://teams/2", "",
	    "{\"type\":\"message\",\"attachments\":[{\"contentType\":\"application/vnd.microsoft.card.adaptive\",\"cont"
	    "ent\":{\"$schema\":\"http://adaptivecards.io/schemas/adaptive-card.json\",\"type\":\"AdaptiveCard\",\"ver"
	    "sion\":\"1.4\",\"msteams\":{\"width\":\"full\"},\"body\":[{\"type\":\"TextBlock\",\"text\":\"t\",\"weight\":\"bolder\""
	    ",\"size\":\"medium\",\"wrap\":true,\"style\":\"heading\",\"color\":\"good\"},{\"type\":\"TextBlock\",\"text\":\"x\",\""
	    "wrap\":true}]}}]}" } },
	{ "webex_configs: [ { room_id: R, message: m, http_config: { authorization: { credentials: T } } }"
	  " ]",
	  { "https://webexapis.com/v1/messages", "Bearer T",
	    "{\"roomId\":\"R\",\"markdown\":\"m\"}" },
	  { "https://webexapis.com/v1/messages", "Bearer T",
	    "{\"roomId\":\"R\",\"markdown\":\"m\"}" } },
	{ "incidentio_configs: [ { url: 'http://incident/1', alert_source_token: TOK } ]",
	  { "http://incident/1", "Bearer TOK",
	    "{\"receiver\":\"r\",\"status\":\"firing\",\"alerts\":[{\"status\":\"firing\",\"labels\":{\"alertname\":\"Down\",\"in"
	    "stance\":\"a<b>\",\"severity\":\"critical\"},\"annotations\":{\"summary\":\"a<b> is bad\"},\"startsAt\":\"2023-"
	    "11-14T22:13:20.000Z\",\"endsAt\":\"0001-01-01T00:00:00Z\",\"generatorURL\":\"http://tocsin/graph\",\"fing"
	    "erprint\":\"e0bf16ad350a9ef4\"}],\"groupLabels\":{\"alertname\":\"Down\"},\"commonLabels\":{\"alertname\":\"D"
	    "own\",\"instance\":\"a<b>\",\"severity\":\"critical\"},\"commonAnnotations\":{\"summary\":\"a<b> is bad\"},\"ex"
	    "ternalURL\":\"http://tocsin\",\"version\":\"4\",\"groupKey\":\"{}:{alertname=\\\"Down\\\"}\",\"notification_reason\":\"first notification\",\"truncatedAlerts\""
	    ":0,\"ackURL\":\"ACK\"}\n" },
	  { "http://incident/1", "Bearer TOK",
	    "{\"receiver\":\"r\",\"status\":\"resolved\",\"alerts\":[{\"status\":\"resolved\",\"labels\":{\"alertname\":\"Down\""
	    ",\"instance\":\"a<b>\",\"severity\":\"critical\"},\"annotations\":{\"summary\":\"a<b> is bad\",\"tocsin_reason"
	    "\":\"no longer returned\"},\"startsAt\":\"2023-11-14T22:13:20.000Z\",\"endsAt\":\"2023-11-14T22:13:20.000"
	    "Z\",\"generatorURL\":\"http://tocsin/graph\",\"fingerprint\":\"e0bf16ad350a9ef4\"}],\"groupLabels\":{\"aler"
	    "tname\":\"Down\"},\"commonLabels\":{\"alertname\":\"Down\",\"instance\":\"a<b>\",\"severity\":\"critical\"},\"com"
	    "monAnnotations\":{\"summary\":\"a<b> is bad\"},\"externalURL\":\"http://tocsin\",\"version\":\"4\",\"groupKey"
	    "\":\"{}:{alertname=\\\"Down\\\"}\","
	    "\"notification_reason\":\"all alerts resolved\",\"truncatedAlerts\":0}\n" } },
