/// Why the kernel or libnftables did not do what was asked.
package struct KernelError: Error, Hashable, Sendable, CustomStringConvertible {
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
        /// What was named is not there, or not any more.
        case missing
        /// libnftables ended or hung instead of answering; what is in force stays.
        case crashed
        /// Another program holds what was asked for, and only one can.
        case taken
        /// There is no route to the address that was asked about.
        case unreachable
    }

    package let code: Code
    /// What happened, to which object.
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
