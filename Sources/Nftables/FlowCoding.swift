internal import PortModel
internal import Ruleset

// Flows and addresses between the agent and the worker process.

extension IPAddress: WireValue {
    init(from reader: inout WireReader) throws(WireError) {
        let bytes = try reader.data()
        let family: AddressFamily
        switch bytes.count {
        case 4: family = .ipv4
        case 16: family = .ipv6
        default: throw WireError(description: "no address has \(bytes.count) bytes")
        }
        self.init(family: family, value: bytes.reduce(0) { $0 << 8 | UInt128($1) })
    }

    func write(to writer: inout WireWriter) { writer.put(bytes) }
}

extension Flow: WireValue {
    init(from reader: inout WireReader) throws(WireError) {
        let id = try reader.number()
        let zone = try Zone(from: &reader)
        let original = try Tuple(from: &reader)
        let reply = try Tuple(from: &reader)
        let master = try reader.byte() == 0 ? nil : try Tuple(from: &reader)
        guard original.family == reply.family, original.family == master?.family ?? reply.family
        else { throw WireError(description: "a flow has addresses of two families") }
        self.init(id: id, zone: zone, original: original, reply: reply, master: master)
    }

    func write(to writer: inout WireWriter) {
        writer.put(id)
        writer.put(zone)
        writer.put(original)
        writer.put(reply)
        writer.put(UInt8(master == nil ? 0 : 1))
        if let master { writer.put(master) }
    }
}

extension Flow.Zone: WireValue {
    init(from reader: inout WireReader) throws(WireError) {
        let kind = try reader.byte()
        let number = try reader.short()
        switch kind {
        case 0: self = .none
        case 1: self = .both(number)
        case 2: self = .original(number)
        default: throw WireError(description: "there is no zone of kind \(kind)")
        }
    }

    func write(to writer: inout WireWriter) {
        let (kind, number): (UInt8, UInt16) =
            switch self {
            case .none: (0, 0)
            case .both(let number): (1, number)
            case .original(let number): (2, number)
            }
        writer.put(kind)
        writer.put(number)
    }
}

extension Flow.Tuple: WireValue {
    init(from reader: inout WireReader) throws(WireError) {
        let source = try IPAddress(from: &reader)
        let destination = try IPAddress(from: &reader)
        guard source.family == destination.family else {
            throw WireError(description: "a flow has addresses of two families")
        }
        self.init(
            from: source, to: destination, protocolNumber: try reader.byte(),
            try Flow.Detail(from: &reader))
    }

    func write(to writer: inout WireWriter) {
        writer.put(source)
        writer.put(destination)
        writer.put(protocolNumber)
        writer.put(detail)
    }
}

extension Flow.Detail: WireValue {
    init(from reader: inout WireReader) throws(WireError) {
        switch try reader.byte() {
        case 0: self = .none
        case 1: self = .ports(source: try reader.short(), destination: try reader.short())
        case 2:
            self = .icmp(
                id: try reader.short(), type: try reader.byte(), code: try reader.byte())
        case let kind: throw WireError(description: "there is no detail of kind \(kind)")
        }
    }

    func write(to writer: inout WireWriter) {
        switch self {
        case .none: writer.put(UInt8(0))
        case .ports(let source, let destination):
            writer.put(UInt8(1))
            writer.put(source)
            writer.put(destination)
        case .icmp(let id, let type, let code):
            writer.put(UInt8(2))
            writer.put(id)
            writer.put(type)
            writer.put(code)
        }
    }
}
