import Foundation
import FoundationXML
import PortModel
import TestSupport

/// A scan by `nmap`: which ports of a host answer, by whatever answer.
struct PortScan {
    /// The scanner's address, which its namespace owns.
    let source: IPAddress
    /// Where nmap would choose for itself.
    var sourcePort: UInt16?
    let ipProtocol: IPProtocol
    var ports: PortSet
    /// The interface towards the host.
    let interface: String
    /// As slow as it takes to lose nothing, for ports that are believed to answer.
    var isPatient = false

    /// Every port's state, for each host. A port that was silent is `filtered`, or in UDP
    /// `open|filtered`.
    func run(
        in namespace: NetworkNamespace, of hosts: [IPAddress]
    ) throws -> [IPAddress: [State: PortSet]] {
        try requirePrograms([("nmap", "nmap")])
        let list = ports.intervals.map {
            $0.lowerBound == $0.upperBound
                ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
        }.joined(separator: ",")
        var arguments = [
            "nmap", "-n", "-Pn", "--send-ip", "-e", interface, "-S", "\(source)", "-p", list,
            "-oX", "-", ipProtocol == .tcp ? "-sS" : "-sU",
        ]
        // A kernel answers for 1,000 closed UDP ports a second, in all its namespaces together.
        // Longer timeouts would cost more than they wait: nmap seeks an answer's probe among all
        // that are open.
        switch (isPatient, ipProtocol) {
        case (true, .tcp): arguments += ["-T4", "--max-retries", "6"]
        case (true, _): arguments += ["-T4", "--max-retries", "6", "--max-rate", "300"]
        case (false, .tcp):
            arguments += [
                "-T5", "--max-retries", "1", "--min-rtt-timeout", "100ms", "--min-rate", "20000",
            ]
        case (false, _):
            arguments += [
                "-T5", "--max-retries", "1", "--min-rtt-timeout", "100ms", "--min-rate", "800",
                "--max-rate", "1000",
            ]
        }
        if source.family == .ipv6 { arguments.append("-6") }
        if let sourcePort { arguments += ["-g", "\(sourcePort)"] }
        let result = try namespace.run(
            arguments + hosts.map(\.description), timeout: .seconds(300)
        ).requireSuccess()

        let reader = Reader()
        let parser = XMLParser(data: Data(result.standardOutput.utf8))
        parser.delegate = reader
        guard parser.parse(), Set(reader.hosts.keys) == Set(hosts) else {
            throw TestSupportError("nmap's report can't be read: \(result)")
        }
        for (host, states) in reader.hosts
        where states.values.reduce(PortSet(), { $0.union($1) }) != ports {
            throw TestSupportError("nmap does not tell every port's state of \(host): \(result)")
        }
        return reader.hosts
    }

    enum State: String {
        case open, closed, filtered
        case openOrFiltered = "open|filtered"
    }
}

/// Reads `nmap -oX`: a `port` element a port, or, for what many have in common, an `extrareasons`
/// element with their list.
private final class Reader: NSObject, XMLParserDelegate {
    private(set) var hosts: [IPAddress: [PortScan.State: PortSet]] = [:]
    private var host: IPAddress?
    private var port: ClosedRange<UInt16>?
    private var state: PortScan.State?

    func parser(
        _ parser: XMLParser, didStartElement element: String, namespaceURI: String?,
        qualifiedName: String?, attributes: [String: String] = [:]
    ) {
        switch element {
        case "host":
            host = nil
        case "address":
            guard let address = attributes["addr"].flatMap({ IPAddress($0) }) else { break }
            host = address
            hosts[address] = [:]
        case "port":
            port = attributes["portid"].flatMap { UInt16($0) }.map { $0...$0 }
        case "state":
            state = attributes["state"].flatMap(PortScan.State.init)
            add([port].compactMap { $0 })
        case "extraports":
            state = attributes["state"].flatMap(PortScan.State.init)
        case "extrareasons":
            add(
                (attributes["ports"] ?? "").split(separator: ",").compactMap { range in
                    let ends = range.split(separator: "-").compactMap { UInt16($0) }
                    guard let low = ends.first, let high = ends.last else { return nil }
                    return low...high
                })
        default: break
        }
    }

    private func add(_ ports: [ClosedRange<UInt16>]) {
        guard let host, let state else { return }
        hosts[host, default: [:]][state, default: []] =
            hosts[host]?[state, default: []].union(PortSet(ports)) ?? PortSet(ports)
    }
}
