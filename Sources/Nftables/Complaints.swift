internal import Netlink
internal import Ruleset

/// The complaints of libnftables about commands that failed: for each a line
/// `FILE:LINE:COLUMNS: Error: …`, then the line of input and a marker below it.
struct Complaints {
    /// Each with the number from 1 of the line of input that it is about.
    let found: [(message: String, line: Int?)]

    init(_ text: String) {
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"))
        let found = lines.compactMap { line -> (String, Int?)? in
            guard let mark = line.firstRange(of: "Error: ".utf8) else { return nil }
            let place = line[..<mark.lowerBound].split(separator: UInt8(ascii: ":"))
            return (
                String(Substring(line[mark.upperBound...])),
                place.count >= 2 ? Int(Substring(place[1])) : nil
            )
        }
        self.found = found.isEmpty ? [(text.isEmpty ? "no reason given" : text, nil)] : found
    }
}

extension KernelError {
    /// - Parameter complaint: the text that libnftables wrote.
    static func refused(_ transaction: Transaction, _ complaint: String) -> KernelError {
        let reasons = Complaints(complaint).found.map { message, line -> String in
            guard let line, transaction.statements.indices.contains(line - 1) else {
                return message
            }
            let statement = transaction.statements[line - 1]
            return "\(statement.subject.map { "\($0): " } ?? "")\(message) in \"\(statement.text)\""
        }
        let shown = reasons.prefix(5).joined(separator: "; ")
        let more = reasons.count > 5 ? " (and \(reasons.count - 5) more)" : ""
        let isPermission = complaint.utf8.contains("Operation not permitted".utf8)
        return KernelError(
            isPermission ? .notPermitted : .refused,
            "the kernel refused the transaction: \(shown)\(more)"
                + (isPermission ? " (the agent needs CAP_NET_ADMIN)" : ""))
    }
}
