/// Why the kernel or libnftables did not do what was asked.
package struct KernelError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kinds of failure that callers tell apart.
    package enum Code: String, Hashable, Sendable, Codable {
        /// No `CAP_NET_ADMIN` in this network namespace's user namespace.
        case notPermitted
        /// The library or a netlink socket can't be used.
        case unavailable
        /// The transaction was refused; which statement is in the description.
        case refused
        /// A listing is not what the library documents.
        case unreadable
        /// Others change the ruleset faster than it can be read.
        case unsettled
        /// Notifications came faster than they were read, and some are lost.
        case overflow
        /// The named object is not there, or not any more.
        case missing
        /// libnftables ended or hung instead of answering; the rules in force stay.
        case crashed
        /// Another program holds the thing that was asked for, and only one can.
        case taken
        /// There is no route to the address that was asked about.
        case unreachable
    }

    /// By which callers decide; ``description`` is for people.
    package let code: Code
    /// The failure, and the object that it is about.
    package let description: String

    /// - Parameter description: with the object, without a full stop.
    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
