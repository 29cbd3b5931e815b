import Foundation
import PortModel
import TestSupport

/// A call between two SIPp processes, which lasts as long as its media: signalling over TCP or TLS,
/// RTP from the caller, and the same RTP back from the callee.
struct SIPCall {
    enum Transport: String, CaseIterable {
        case tcp, tls

        /// Where the callee listens.
        var port: UInt16 { self == .tcp ? 5060 : 5061 }
    }

    struct Party {
        let namespace: NetworkNamespace
        let address: IPAddress
        /// Where RTP comes from and goes to.
        var mediaPort: UInt16
    }

    struct Outcome {
        /// The caller was answered, acknowledged, and hung up in order.
        let isCompleted: Bool
        /// RTP packets from the caller that passed the callee's input hook.
        let heardByCallee: Int
        /// RTP packets from the callee, which echoes what its socket received.
        let heardByCaller: Int
        /// What the processes said, for a failure.
        let log: String
    }

    /// Of G.711, 20 ms each.
    static let mediaPackets = 25

    let caller: Party
    let callee: Party
    let transport: Transport
    /// Where the caller's signalling connection comes from.
    let sourcePort: UInt16

    /// Makes the call and returns after its end, whether it came about or not.
    func place() throws -> Outcome {
        try requirePrograms([("sipp", "sip-tester"), ("socat", "socat"), ("openssl", "openssl")])
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "pexip-fw-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let outcome = Result { try place(in: directory) }
        try FileManager.default.removeItem(at: directory)
        return try outcome.get()
    }

    private func place(in directory: URL) throws -> Outcome {
        let recording = directory.appending(path: "media.pcap")
        try Data(Self.recording).write(to: recording)
        let scenario = directory.appending(path: "caller.xml")
        try Data(Self.scenario(playing: recording.path).utf8).write(to: scenario)
        let atCallee = try Observer(of: caller, to: callee)
        let atCaller = try Observer(of: callee, to: caller)

        var processes = [try answer(in: directory)]
        if transport == .tls { processes += try encrypt(in: directory) }
        defer { processes.forEach { _ = $0.terminate() } }

        // Through the tunnel to the callee's TLS port, or straight to its TCP port.
        let local = transport == .tls ? Self.loopback : caller.address
        let remote = transport == .tls ? Self.loopback : callee.address
        let target = ProbeEndpoint(remote, port: transport.port)
        let port = transport == .tls ? [] : ["-p", "\(sourcePort)"]
        let result = try caller.namespace.run(
            ["sipp", "-sf", scenario.path, "-m", "1", "-timeout", "20s", "-timeout_error"]
                + Self.options(local: local, caller) + port + ["\(target)"],
            timeout: patience)
        let said = processes.map { $0.standardError }.joined(separator: "\n")
        return Outcome(
            isCompleted: result.succeeded, heardByCallee: try atCallee.packets(),
            heardByCaller: try atCaller.packets(),
            log: "the caller ended with \(result.status): \(result.standardError)\n\(said)")
    }

    /// Starts the callee and waits until it listens.
    private func answer(in directory: URL) throws -> ChildProcess {
        let local = transport == .tls ? Self.loopback : callee.address
        let process = try callee.namespace.spawn(
            ["sipp", "-sn", "uas", "-rtp_echo", "-p", "\(SIPCall.Transport.tcp.port)"]
                + Self.options(local: local, callee))
        try Self.awaitListener(process, at: SIPCall.Transport.tcp.port, in: callee.namespace)
        return process
    }

    /// Debian's SIPp is built without TLS, so both ends get it from socat: the callee's port is a
    /// TLS server in front of SIPp, the caller's connection a TLS client that verifies it.
    private func encrypt(in directory: URL) throws -> [ChildProcess] {
        let key = directory.appending(path: "key.pem").path
        let certificate = directory.appending(path: "certificate.pem").path
        try ChildProcess.run([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj",
            "/CN=callee.example.org",
        ]).requireSuccess()
        let family = callee.address.family == .ipv4 ? "pf=ip4" : "pf=ip6"
        let server = try callee.namespace.spawn([
            "socat",
            "OPENSSL-LISTEN:\(transport.port),\(family),bind=\(Self.literal(callee.address)),"
                + "cert=\(certificate),key=\(key),verify=0",
            "TCP:127.0.0.1:\(Transport.tcp.port)",
        ])
        try Self.awaitListener(server, at: transport.port, in: callee.namespace)
        let target = ProbeEndpoint(callee.address, port: transport.port)
        let client = try caller.namespace.spawn([
            "socat", "TCP-LISTEN:\(transport.port),bind=127.0.0.1",
            "OPENSSL:\(target),bind=\(Self.literal(caller.address)),sourceport=\(sourcePort),"
                + "cafile=\(certificate),commonname=callee.example.org",
        ])
        try Self.awaitListener(client, at: transport.port, in: caller.namespace)
        return [server, client]
    }

    private static let loopback = IPAddress(family: .ipv4, value: 0x7f00_0001)

    private static func literal(_ address: IPAddress) -> String {
        address.family == .ipv4 ? "\(address)" : "[\(address)]"
    }

    private static func options(local: IPAddress, _ party: Party) -> [String] {
        [
            "-t", "t1", "-nostdin", "-bind_local", "-i", literal(local), "-mi",
            "\(party.address)", "-mp", "\(party.mediaPort)",
        ]
    }

    private static func awaitListener(
        _ process: ChildProcess, at port: UInt16, in namespace: NetworkNamespace
    ) throws {
        let listens = try waitUntil {
            guard process.isRunning else { return true }
            return try !namespace.run(["ss", "-Htln", "sport = :\(port)"]).requireSuccess()
                .standardOutput.isEmpty
        }
        guard listens, process.isRunning else {
            throw TestSupportError(
                "`\(process.arguments.joined(separator: " "))` does not listen at \(port): "
                    + process.standardError + process.standardOutput)
        }
    }
}

// MARK: - What is seen

/// Counts, without the agent's help, one direction of a call's media where it arrives.
private struct Observer {
    private let namespace: NetworkNamespace

    init(of sender: SIPCall.Party, to receiver: SIPCall.Party) throws {
        namespace = receiver.namespace
        let family = receiver.address.family == .ipv4 ? "ip" : "ip6"
        try Nft.run(
            in: namespace,
            """
            table inet observer {
            }
            delete table inet observer
            table inet observer {
                counter media { }
                chain input {
                    type filter hook input priority 100; policy accept;
                    \(family) saddr \(sender.address) \(family) daddr \(receiver.address) udp sport \(sender.mediaPort) udp dport \(receiver.mediaPort) counter name "media"
                }
            }
            """)
    }

    func packets() throws -> Int {
        let text = try namespace.run(["nft", "list", "counter", "inet", "observer", "media"])
            .requireSuccess().standardOutput
        let words = text.split(whereSeparator: \.isWhitespace)
        guard let label = words.firstIndex(of: "packets"), words.indices.contains(label + 1),
            let count = Int(words[label + 1])
        else { throw TestSupportError("nft shows no counter: \(text)") }
        return count
    }
}

// MARK: - What is said

extension SIPCall {
    /// SIPp's own caller, and it plays a recording for as long as the pause.
    private static func scenario(playing recording: String) -> String {
        func request(_ method: String, number: Int, toTag: String, body: String = "") -> String {
            """
            \(method) sip:room@[remote_ip]:[remote_port] SIP/2.0
            Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
            From: <sip:caller@[local_ip]:[local_port]>;tag=[call_number]
            To: <sip:room@[remote_ip]:[remote_port]>\(toTag)
            Call-ID: [call_id]
            CSeq: \(number) \(method)
            Contact: <sip:caller@[local_ip]:[local_port];transport=[transport]>
            Max-Forwards: 70
            \(body.isEmpty ? "" : "Content-Type: application/sdp\n")Content-Length: [len]

            \(body)
            """
        }
        let offer = """
            v=0
            o=caller 1 1 IN IP[local_ip_type] [local_ip]
            s=-
            c=IN IP[media_ip_type] [media_ip]
            t=0 0
            m=audio [media_port] RTP/AVP 8
            a=rtpmap:8 PCMA/8000

            """
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <scenario name="caller">
              <send><![CDATA[
            \(request("INVITE", number: 1, toTag: "", body: offer))]]></send>
              <recv response="100" optional="true"/>
              <recv response="180" optional="true"/>
              <recv response="200"/>
              <send><![CDATA[
            \(request("ACK", number: 1, toTag: "[peer_tag_param]"))]]></send>
              <nop><action><exec play_pcap_audio="\(recording)"/></action></nop>
              <pause milliseconds="1500"/>
              <send><![CDATA[
            \(request("BYE", number: 2, toTag: "[peer_tag_param]"))]]></send>
              <recv response="200"/>
            </scenario>
            """
    }

    /// Half a second of G.711 silence in the format of tcpdump. SIPp takes the RTP of it and sends
    /// it from the caller's media port to where the callee's SDP says.
    private static var recording: [UInt8] {
        func little(_ values: UInt32...) -> [UInt8] {
            values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
        }
        func big(_ value: Int, _ count: Int) -> [UInt8] {
            (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
        }
        // Magic number, version 2.4, time zone, accuracy, longest packet, Ethernet.
        var file = little(0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1)
        for index in 0..<mediaPackets {
            // Version 2, PCMA, sequence number, timestamp, source.
            let rtp =
                [0x80, 8] + big(index, 2) + big(index * 160, 4) + big(1, 4)
                + [UInt8](repeating: 0xd5, count: 160)
            let udp = big(6000, 2) + big(6000, 2) + big(rtp.count + 8, 2) + [0, 0] + rtp
            let ip =
                [0x45, 0] + big(udp.count + 20, 2) + big(index, 2) + [0, 0, 64, 17, 0, 0]
                + [192, 0, 2, 1, 192, 0, 2, 2] + udp
            let frame: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0] + ip
            let length = UInt32(frame.count)
            file += little(0, UInt32(index) * 20_000, length, length) + frame
        }
        return file
    }
}
