// The port usage of Pexip Infinity as published ("Pexip Infinity port usage and firewall
// guidance"), laid out as the documentation lays it out. A test prints every row back and compares
// it with the documentation's own line.

extension NodeRole {
    /// The "Management Node", of the documentation's first two tables.
    package static let management = NodeRole("management")
    /// The "Conferencing Node", of the documentation's last two tables.
    package static let conferencing = NodeRole("conferencing")
}

extension Profile {
    /// The documented port usage that `profile: infinity-14` names: 48 rows in four tables.
    package static let infinity14 = Profile(
        name: "infinity-14",
        roles: [
            Role(name: .management, title: "Management Node", mayBeDualHomed: false),
            Role(name: .conferencing, title: "Conferencing Node", mayBeDualHomed: true),
        ],
        ports: PortAssignments(
            ephemeral: 55000...65535, signaling: 33000...39999, media: 40000...49999,
            snmp: [161], syslog: [514], stunTurn: [3478], psom: [443, 8057]),
        footnotes: [
            Note(
                .administrativeAccess,
                "Only required if you want to allow administrative access via this port."),
            Note(.portConfigurable, "Configurable by the administrator."),
            Note(
                .rangeConfigurable,
                "Configurable via the Media port range start/end and Signaling port range start/end options (see About global settings)."
            ),
            Note(.featureOnly, "Only applies if the relevant feature is configured."),
            Note(
                .psomPorts,
                "Typically 443 for Web Conferencing Edge and 8057 for a Lync/SfB Front End server / FEP."
            ),
            Note(
                .infinityConnectClients,
                "Infinity Connect web, mobile and desktop (installable) clients"),
        ],
        remarks: ["The ephemeral port range (55000–65535) is subject to change."],
        rows: managementInbound + managementOutbound + conferencingInbound + conferencingOutbound)

    // One line a row, as in the documentation.
    // swift-format-ignore
    private static let managementInbound = table(
        .management, .inbound,
        [
            Line("ssh", [.tcp], .any, .port(22), "SSH", "SSH client", .devices(.sshClients), .primary, when: .ssh, mark: .administrativeAccess),
            Line("http", [.tcp], .any, .port(80), "HTTP", "Web browser / API interface", .devices(.webClients), when: .http, mark: .administrativeAccess),
            Line("https", [.tcp], .any, .port(443), "HTTPS", "Web browser / API interface", .devices(.webClients)),
            Line("snmp", [.udp], .any, .port(161), "SNMP", "SNMP server", .devices(.snmpServers), when: .snmp),
            Line("ike", [.udp], .port(500), .port(500), "ISAKMP (IPsec)", "Conferencing Node", .nodes([.conferencing]), .primary),
            Line("esp", [.esp], .notApplicable, .notApplicable, "IPsec / IP Protocol 50", "Conferencing Node", .nodes([.conferencing]), .primary),
        ])

    // One line a row, as in the documentation.
    // swift-format-ignore
    private static let managementOutbound = table(
        .management, .outbound,
        [
            Line("dns", [.tcp, .udp], .range(.ephemeral), .port(53), "DNS", "DNS server", .devices(.dnsServers)),
            Line("ldap", [.tcp], .range(.ephemeral), .ports([389, 636]), "LDAP", "LDAP server", .devices(.ldapServers), when: .ldap),
            Line("https-vsphere", [.tcp], .range(.ephemeral), .port(443), "HTTPS", "vCenter Server and any ESXi host on which Conferencing Nodes may be deployed", .devices(.vsphereHosts)),
            Line("https-licensing", [.tcp], .range(.ephemeral), .port(443), "HTTPS", "Pexip Licensing server (pexip.flexnetoperations.com, 64.14.29.85)", .devices(.licensingServers)),
            Line("https-incident-reporting", [.tcp], .range(.ephemeral), .port(443), "HTTPS", "Incident reporting server (acr.pexip.com)", .devices(.incidentReportingServers), when: .incidentReporting),
            Line("https-usage-statistics", [.tcp], .range(.ephemeral), .port(443), "HTTPS", "Usage statistics (api.keen.io)", .devices(.usageStatisticsServers), when: .usageStatistics),
            Line("smtp", [.tcp], .range(.ephemeral), .port(587), "SMTP", "SMTP server", .devices(.smtpServers), when: .smtp),
            Line("ntp", [.udp], .ports([123], .ephemeral), .port(123), "NTP", "NTP server", .devices(.ntpServers)),
            Line("snmp", [.udp], .any, .configurable(.snmp), "SNMP", "SNMP NMS", .devices(.snmpManagers), when: .snmp),
            Line("ike", [.udp], .port(500), .port(500), "ISAKMP (IPsec)", "Conferencing Node", .nodes([.conferencing]), .primary),
            Line("syslog", [.udp], .range(.ephemeral), .configurable(.syslog), "Syslog", "Syslog server", .devices(.syslogServers), when: .syslog, configurableTransport: true),
            Line("esp", [.esp], .notApplicable, .notApplicable, "IPsec / IP Protocol 50", "Conferencing Node", .nodes([.conferencing]), .primary),
        ])

    // One line a row, as in the documentation.
    // swift-format-ignore
    private static let conferencingInbound = table(
        .conferencing, .inbound,
        [
            Line("ssh", [.tcp], .any, .port(22), "SSH", "SSH client", .devices(.sshClients), .primary, when: .ssh, mark: .administrativeAccess),
            Line("http", [.tcp], .any, .port(80), "HTTP", "Web browser / API interface / Lync / Skype for Business system (for conference avatar)", .devices(.conferenceClients)),
            Line("https", [.tcp], .any, .port(443), "HTTPS", "Web browser/ API interface / Infinity Connect Mobile client", .devices(.conferenceClients)),
            Line("h225", [.tcp], .any, .port(1720), "H.323 (H.225 signaling)", "Endpoint / call control system", .devices(.endpoints), .signalingAndMedia),
            Line("sip", [.tcp], .any, .port(5060), "SIP", "Endpoint / call control system", .devices(.endpoints), .signalingAndMedia),
            Line("sip-udp", [.udp], .any, .port(5060), "SIP", "Endpoint / call control system", .devices(.endpoints), .signalingAndMedia, when: .sipUDP, markAt: .protocol),
            Line("sip-tls", [.tcp], .any, .port(5061), "SIP/TLS", "Endpoint / call control system", .devices(.endpoints), .signalingAndMedia),
            Line("h245", [.tcp], .any, .range(.signaling), "H.323 (Q.931/H.245 signaling)", "Endpoint / call control system", .devices(.endpoints), .signalingAndMedia),
            Line("media", [.tcp, .udp], .any, .range(.media), "RTP / RTCP / RDP / DTLS / RTMP / STUN / TURN", "Endpoint / call control system / Lync / Skype for Business system / Infinity Connect", .devices(.mediaEndpoints), .signalingAndMedia, deviceMark: .infinityConnectClients),
            Line("snmp", [.udp], .any, .port(161), "SNMP", "SNMP server", .devices(.snmpServers), when: .snmp),
            Line("ike", [.udp], .port(500), .port(500), "ISAKMP (IPsec)", "Management Node / Conferencing Node", .nodes([.management, .conferencing]), .primary),
            Line("ras", [.udp], .any, .port(1719), "H.323 (RAS signaling)", "Endpoint / call control system", .devices(.endpoints), .signalingAndMedia),
            Line("esp", [.esp], .notApplicable, .notApplicable, "IPsec / IP Protocol 50", "Management Node / Conferencing Node", .nodes([.management, .conferencing]), .primary),
        ])

    // One line a row, as in the documentation.
    // swift-format-ignore
    private static let conferencingOutbound = table(
        .conferencing, .outbound,
        [
            Line("dns", [.tcp, .udp], .range(.ephemeral), .port(53), "DNS", "DNS server", .devices(.dnsServers)),
            Line("https-incident-reporting", [.tcp], .range(.ephemeral), .port(443), "HTTPS", "Incident reporting server (acr.pexip.com)", .devices(.incidentReportingServers), when: .incidentReporting),
            Line("h225", [.tcp], .range(.signaling), .port(1720), "H.323 (H.225 signaling)", "Endpoint / call control system", .devices(.endpoints), .signalingAndMedia),
            Line("sip", [.tcp, .udp], .range(.signaling), .port(5060), "SIP", "Endpoint / call control system", .devices(.endpoints), .signalingAndMedia),
            Line("sip-tls", [.tcp], .range(.signaling), .port(5061), "SIP/TLS", "Endpoint / call control system", .devices(.endpoints), .signalingAndMedia),
            Line("h245", [.tcp], .range(.signaling), .any, "H.323 (Q.931/H.245 signaling)", "Endpoint / call control system", .devices(.endpoints), .signalingAndMedia),
            Line("media", [.tcp, .udp], .range(.media), .any, "RTP / RTCP / RDP / DTLS / RTMP / STUN / TURN", "Endpoint / call control system / Lync / Skype for Business system / Infinity Connect", .devices(.mediaEndpoints), .signalingAndMedia, deviceMark: .infinityConnectClients),
            Line("rtmp", [.tcp], .range(.media), .port(1935), "RTMP", "RTMP streaming server", .devices(.rtmpServers), .signalingAndMedia),
            Line("psom", [.tcp], tls: true, .range(.ephemeral), .configurable(.psom), "PSOM (PowerPoint presentation from Lync/SfB)", "Lync/SfB Web Conferencing service", .devices(.lyncWebConferencing)),
            Line("https-lync", [.tcp], tls: true, .range(.ephemeral), .port(443), "HTTPS (PowerPoint presentation from Lync/SfB)", "Lync/SfB Front End server or Edge server", .devices(.lyncServers)),
            Line("ntp", [.udp], .ports([123], .ephemeral), .port(123), "NTP", "NTP server", .devices(.ntpServers)),
            Line("snmp", [.udp], .any, .configurable(.snmp), "SNMP", "SNMP NMS", .devices(.snmpManagers), when: .snmp),
            Line("ike", [.udp], .port(500), .port(500), "ISAKMP (IPsec)", "Management Node / Conferencing Node", .nodes([.management, .conferencing]), .primary),
            Line("syslog", [.udp], .range(.ephemeral), .configurable(.syslog), "Syslog", "Syslog server", .devices(.syslogServers), when: .syslog, configurableTransport: true),
            Line("ras", [.udp], .range(.signaling), .port(1719), "H.323 (RAS signaling)", "Endpoint / Call control system", .devices(.endpoints), .signalingAndMedia),
            Line("stun-turn", [.udp], .range(.media), .configurable(.stunTurn), "STUN / TURN", "STUN / TURN server", .devices(.stunTurnServers), .signalingAndMedia),
            Line("esp", [.esp], .notApplicable, .notApplicable, "IPsec / IP Protocol 50", "Management Node / Conferencing Node", .nodes([.management, .conferencing]), .primary),
        ])
}
