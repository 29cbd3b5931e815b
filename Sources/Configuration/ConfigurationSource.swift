/// A configuration file as it was read.
package struct ConfigurationSource: Hashable, Sendable {
    /// The file's path as the user would name it.
    package let path: String
    /// The content, which may be anything: it is not known to be UTF-8.
    package let bytes: [UInt8]

    package init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
    }

    /// A source that is written in place rather than read from a file.
    package init(path: String, text: String) { self.init(path: path, bytes: Array(text.utf8)) }
}
