/// The users that this host itself has.
package enum LocalUsers {
    /// The id of a user in `/etc/passwd` (passwd(5)); nil where it has none of that name.
    ///
    /// - Throws: ``SystemError``.
    package static func id(of name: String) throws(SystemError) -> UInt32? {
        try LocalGroups.id(of: name, in: "/etc/passwd")
    }
}

/// The groups that this host itself has.
package enum LocalGroups {
    private static let largestFile = 4 << 20

    /// The id of a group in `/etc/group` (group(5)); nil where it has none of that name.
    ///
    /// Not by getgrnam(3): what that asks beside the file stays loaded, and may be a server that a
    /// firewall can't wait for when the host starts.
    ///
    /// - Throws: ``SystemError``.
    package static func id(of name: String) throws(SystemError) -> UInt32? {
        try id(of: name, in: "/etc/group")
    }

    /// Of a file whose lines begin with a name, a password and an id.
    fileprivate static func id(
        of name: String, in file: String
    ) throws(SystemError) -> UInt32? {
        let text = try AtomicFile.read(file, limit: largestFile)
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(
                separator: UInt8(ascii: ":"), maxSplits: 3, omittingEmptySubsequences: false)
            if fields.count >= 3, fields[0].elementsEqual(name.utf8) {
                return UInt32(String(decoding: fields[2], as: UTF8.self))
            }
        }
        return nil
    }
}
