internal import PortModel
package import Site

// The meaning of each key, in a sentence or two: the hover text of editors and the comments of a
// starting file. A key that is added to the parser must be described here to compile.

extension RootKey {
    var meaning: String {
        switch self {
        case .version: "The version of this format."
        case .profile: "The documented port usage to enforce."
        case .placement:
            "Where the agent runs. "
                + Placement.allCases.map { "\($0.rawValue): \($0.meaning)." }.joined(separator: " ")
        case .enforce:
            "Which nodes are enforced here. auto: the node whose address this host has; on a gateway, all. Or a list of names, in local placement of one."
        case .mode:
            "enforce drops what no row permits. observe counts what would be dropped and drops nothing."
        case .ports:
            "Ports in place of the documented ones, where they were changed in the product."
        case .transports: "Transports that the documentation leaves to the administrator."
        case .features:
            "Optional parts of the product. The rows of a part apply only where it is true."
        case .groups:
            "Lists of addresses by name, for use in lists as \"@NAME\"."
        case .peers:
            "The other ends of the rows, by class of device: any, or a list of addresses."
        case .nodes:
            "The nodes of the deployment by name, all of them: each is a peer of the others."
        case .host: "The host's own needs."
        case .rules: "Rows of the site's own. A later file's list replaces an earlier one's."
        case .refusals: "Whether pexip-fwctl show drops can tell who is refused most."
        case .guards: "Guards against being locked out."
        }
    }
}

extension Placement {
    /// The words for it, as `local or gateway`.
    package static let words = alternatives(allCases.map(\.rawValue))

    fileprivate var meaning: String {
        switch self {
        case .local: "on the node itself"
        case .gateway:
            "on the router, firewall or hypervisor that forwards the nodes' packets"
        }
    }

    /// The same in few words.
    var place: String {
        switch self {
        case .local: "on a node"
        case .gateway: "in front of nodes"
        }
    }
}

extension NodeKey {
    var meaning: String {
        switch self {
        case .role: "\(Self.titles { _ in true }). Every node needs one."
        case .address:
            "The primary address, or a list of one of each family. IPsec between nodes and SSH belong to it. Every node needs one."
        case .secondaryAddress:
            "The secondary address of a dual-homed \(Self.titles(\.mayBeDualHomed)), or a list of one of each family. Signaling and media belong to it."
        case .features: "Overrides features for this node."
        case .ports: "Overrides ports for this node."
        case .transports: "Overrides transports for this node."
        case .peers: "Overrides peers for this node."
        }
    }

    /// Such nodes as the documented versions call them: `Management Node or Conferencing Node`.
    private static func titles(_ isWanted: (Profile.Role) -> Bool) -> String {
        var titles: [String] = []
        for role in Profile.all.flatMap(\.roles) where isWanted(role) {
            if !titles.contains(role.title) { titles.append(role.title) }
        }
        return alternatives(titles)
    }
}

extension NamedRange {
    var meaning: String {
        switch self {
        case .ephemeral: "Source ports of outbound connections."
        case .signaling: "H.323 and SIP signaling."
        case .media: "Media."
        }
    }
}

extension ConfigurablePort {
    var meaning: String {
        switch self {
        case .snmp: "The SNMP NMS's port."
        case .syslog: "The syslog server's port."
        case .stunTurn: "The STUN/TURN server's port."
        case .psom: "PSOM ports of Lync or Skype for Business: a port or a list."
        }
    }
}

extension TransportKey {
    var meaning: String {
        switch self {
        case .syslog: "udp, or tcp, which includes TLS."
        }
    }
}

extension Feature {
    var meaning: String {
        switch self {
        case .ssh: "Administration by SSH."
        case .http: "Administration of the Management Node by HTTP."
        case .snmp: "Queries of nodes by SNMP, and their messages to SNMP managers."
        case .sipUDP: "SIP over UDP to Conferencing Nodes."
        case .ldap: "The Management Node's queries of LDAP servers."
        case .smtp: "The Management Node's mail."
        case .syslog: "Messages to syslog servers."
        case .incidentReporting: "Incident reports."
        case .usageStatistics: "The Management Node's usage statistics."
        }
    }
}

extension PeerClass {
    var meaning: String {
        switch self {
        case .sshClients: "The hosts that log in by SSH."
        case .webClients: "Browsers and API clients of the Management Node."
        case .conferenceClients: "Browsers, apps and API clients of Conferencing Nodes."
        case .snmpServers: "The servers that query nodes by SNMP."
        case .dnsServers: "DNS servers."
        case .ldapServers: "LDAP servers."
        case .vsphereHosts: "vCenter Server, and ESXi hosts on which nodes may be deployed."
        case .licensingServers: "Pexip's licensing server."
        case .incidentReportingServers: "Pexip's servers for incident reports."
        case .usageStatisticsServers: "Pexip's servers for usage statistics."
        case .smtpServers: "Mail servers."
        case .ntpServers: "NTP servers."
        case .snmpManagers: "Where nodes send SNMP messages to."
        case .syslogServers: "Syslog servers."
        case .endpoints: "Endpoints and call control systems, for signaling."
        case .mediaEndpoints: "The same and all other clients, for media."
        case .rtmpServers: "RTMP streaming servers."
        case .lyncWebConferencing: "Web Conferencing services of Lync or Skype for Business."
        case .lyncServers: "Front End and Edge servers of Lync or Skype for Business."
        case .stunTurnServers: "STUN and TURN servers."
        }
    }
}

extension HostKey {
    var meaning: String {
        switch self {
        case .ping: "Let echo requests to and from the nodes pass."
        case .dhcpClient: "Local placement: let the host's own DHCP and DHCPv6 client work."
        case .trackMedia:
            "Local placement: track UDP before it is judged, media included, so that answers to what the host translates for others (containers) reach them; auto tracks none and warns where a table translates sources."
        }
    }
}

extension RuleKey {
    var meaning: String {
        switch self {
        case .name: "Unique; names the rule's counter, site.NAME."
        case .nodes: "Names of nodes, a role, or all."
        case .direction: "inbound: to the nodes. outbound: from them."
        case .ipProtocol: "The protocol; esp has no ports."
        case .sourcePorts: "A port, a range LOW-HIGH, or a list of them; all by default."
        case .destinationPorts: "A port, a range LOW-HIGH, or a list of them; all by default."
        case .peers: "The other end: any, or a list of addresses."
        }
    }
}

extension RefusalKey {
    var meaning: String {
        switch self {
        case .sample:
            "Let the agent see samples of refused packets, the first 128 bytes of each."
        case .group: "The nflog group that they go by, which no other program may read."
        case .rate:
            "How many a second at most, by each rule that refuses; on a gateway for each class of nodes."
        }
    }
}

extension GuardKey {
    var meaning: String {
        switch self {
        case .confirm:
            "A time such as 60s, 5m or 1h in which pexip-fwctl confirm must be said after every change that files bring, or it is taken back; off asks for none."
        case .probes:
            "TCP connections, tcp://ADDRESS:PORT, that this host must be able to make after a change, or it is taken back."
        case .revokeEstablished:
            "End established flows that a change no longer permits; false lets them go on until they end by themselves."
        }
    }
}
