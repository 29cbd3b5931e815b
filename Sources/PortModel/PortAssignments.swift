/// The port ranges and ports that may be moved: as a version documents them, or as a node has them.
package struct PortAssignments: Hashable, Sendable {
    /// The ephemeral port range, from which nodes ask servers; 55000–65535 in `infinity-14`.
    package var ephemeral: ClosedRange<UInt16>
    /// The signaling port range (`**`); 33000–39999 in `infinity-14`.
    package var signaling: ClosedRange<UInt16>
    /// The media port range (`**`); 40000–49999 in `infinity-14`.
    package var media: ClosedRange<UInt16>
    /// The SNMP NMS's ports (`†`); 161 in `infinity-14`.
    package var snmp: [UInt16]
    /// The Syslog server's ports (`†`); 514 in `infinity-14`.
    package var syslog: [UInt16]
    /// The STUN / TURN server's ports (`†`); 3478 in `infinity-14`.
    package var stunTurn: [UInt16]
    /// The Lync/SfB Web Conferencing service's ports (`‡‡`); 443 and 8057 in `infinity-14`.
    package var psom: [UInt16]

    package init(
        ephemeral: ClosedRange<UInt16>, signaling: ClosedRange<UInt16>,
        media: ClosedRange<UInt16>, snmp: [UInt16], syslog: [UInt16], stunTurn: [UInt16],
        psom: [UInt16]
    ) {
        self.ephemeral = ephemeral
        self.signaling = signaling
        self.media = media
        self.snmp = snmp
        self.syslog = syslog
        self.stunTurn = stunTurn
        self.psom = psom
    }

    /// The bounds of a range that cells refer to by name.
    package subscript(range: NamedRange) -> ClosedRange<UInt16> {
        get { self[keyPath: range.place] }
        set { self[keyPath: range.place] = newValue }
    }

    /// The ports that stand in a configurable cell.
    package subscript(port: ConfigurablePort) -> [UInt16] {
        get { self[keyPath: port.place] }
        set { self[keyPath: port.place] = newValue }
    }
}

extension NamedRange {
    fileprivate var place: WritableKeyPath<PortAssignments, ClosedRange<UInt16>> {
        switch self {
        case .ephemeral: \.ephemeral
        case .signaling: \.signaling
        case .media: \.media
        }
    }
}

extension ConfigurablePort {
    fileprivate var place: WritableKeyPath<PortAssignments, [UInt16]> {
        switch self {
        case .snmp: \.snmp
        case .syslog: \.syslog
        case .stunTurn: \.stunTurn
        case .psom: \.psom
        }
    }
}
