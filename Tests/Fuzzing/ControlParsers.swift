import Site
import JSONValue
import PortModel

@testable import Control
@testable import Enforcement
@testable import Reports

extension Parser {
    /// What clients send to the agent, and what it answers them.
    static let controlParsers: [Parser] = [
        Parser("varlink", upTo: VarlinkLimits().message) { input in
            if let request = request(input) {
                try require(
                    Self.request(request.serialized) == request, "it is sent as another request")
                _ = VarlinkMethod(request.method.description)
            }
            if let reply = reply(input) {
                try require(Self.reply(reply.serialized) == reply, "it is sent as another reply")
            }
        },
        Parser("messages", upTo: 1 << 18) { input in
            // The first byte is how much is received at once.
            let step = Int(input.first ?? 0) * 64 + 1
            let bytes = input.dropFirst()
            var buffer = MessageBuffer()
            var messages: [[UInt8]] = []
            var start = bytes.startIndex
            while start < bytes.endIndex {
                let end = min(start + step, bytes.endIndex)
                _ = buffer.append(bytes[start..<end])
                while let message = buffer.next() { messages.append(message) }
                start = end
            }
            let whole = bytes.split(separator: 0, omittingEmptySubsequences: false)
            try require(
                messages == whole.dropLast().map(Array.init), "it comes out as other messages")
            try require(buffer.count == whole.last?.count ?? 0, "it keeps another rest")
        },
        Parser("reports", upTo: 1 << 20) { input in
            _ = try decoded(StatusReport.self, input)
            _ = try decoded(ApplyReport.self, input)
            _ = try decoded(ExplainReport.self, input)
            _ = try decoded(MeshReport.self, input)
            _ = try decoded(DropsReport.self, input)
        },
        Parser("packet-query", upTo: 1 << 16) { input in
            let words = input.split(
                separator: UInt8(ascii: "\n"), maxSplits: 2, omittingEmptySubsequences: false
            ).map { String(decoding: $0, as: UTF8.self) }
            guard words.count == 3 else { return }
            let query = PacketQuery(protocol: words[0], source: words[1], destination: words[2])
            for placement in Placement.allCases {
                do throws(PacketQuery.Problem) {
                    _ = try query.packet(for: [.tried], in: placement)
                } catch {
                    try require(!error.description.isEmpty, "it is refused without a reason")
                }
            }
        },
        Parser("ssh-session", upTo: 1 << 16) { input in
            let text = String(decoding: input, as: UTF8.self)
            guard let session = OperatorSession(sshConnection: text) else { return }
            try require(
                OperatorSession(sshConnection: session.sshConnection) == session,
                "\(session.sshConnection) is another session")
        },
    ]

    private static func request(_ input: [UInt8]) -> VarlinkRequest? {
        do throws(VarlinkViolation) {
            return try VarlinkRequest(parsing: input)
        } catch {
            return nil
        }
    }

    private static func reply(_ input: [UInt8]) -> VarlinkReply? {
        do throws(VarlinkViolation) {
            return try VarlinkReply(parsing: input)
        } catch {
            return nil
        }
    }
}

extension EnforcedNode {
    /// One whose packets may be asked about.
    fileprivate static let tried = EnforcedNode(
        name: "conf-1", role: .conferencing,
        addresses: [
            IPAddress(family: .ipv4, value: 0x0a00_0015), IPAddress(family: .ipv6, value: 0x15),
        ], table: "pexip_fw_conf_1", rows: 1)
}
