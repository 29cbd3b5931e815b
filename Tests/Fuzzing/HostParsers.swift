import PortModel

@testable import Doctor
@testable import LinuxSystem

extension Parser {
    /// What `/proc` says, some of which users fill.
    static let hostParsers: [Parser] = [
        Parser("processes", upTo: 1 << 20) { input in
            _ = ProcessAncestry.parent(inStat: input)
            if let value = ProcessAncestry.value(of: "SSH_CONNECTION", in: input) {
                try require(!value.utf8.contains(0), "the value goes on in the next one")
            }
        },
        Parser("reserved-ports", upTo: 1 << 16) { input in
            let text = String(decoding: input, as: UTF8.self)
            guard let ports = PortSet(reserved: text[...]) else { return }
            let written = ports.intervals.map { "\($0.lowerBound)-\($0.upperBound)" }
            try require(
                PortSet(reserved: written.joined(separator: ",")[...]) == ports,
                "\(written) are other ports")
        },
    ]
}
