internal import PlainText
internal import Site

/// Collects diagnostics, so that all of them are reported.
struct Findings: Hashable, Sendable {
    private var diagnostics: [Diagnostic] = []
    private var leftOut = 0
    private(set) var hasErrors = false

    mutating func error(_ location: SourceLocation?, _ message: String) {
        hasErrors = true
        add(Diagnostic(.error, at: location, message))
    }

    mutating func warning(_ location: SourceLocation?, _ message: String) {
        add(Diagnostic(.warning, at: location, message))
    }

    private mutating func add(_ diagnostic: Diagnostic) {
        if diagnostics.count < ConfigurationLimits.diagnostics {
            diagnostics.append(diagnostic)
        } else {
            leftOut += 1
        }
    }

    /// By file (in byte order of the paths), line and column, each once; unlocated ones first.
    func sorted() -> [Diagnostic] {
        var all = diagnostics
        if leftOut > 0 {
            let severity: Diagnostic.Severity = hasErrors ? .error : .warning
            all.append(
                Diagnostic(
                    severity, at: nil,
                    "\(leftOut) more diagnostics are left out: correct these and load again"))
        }
        let ordered = all.enumerated().sorted { a, b in
            switch (a.element.location, b.element.location) {
            case (nil, nil): return a.offset < b.offset
            case (nil, _): return true
            case (_, nil): return false
            case (let left?, let right?):
                if left.file != right.file {
                    return left.file.utf8.lexicographicallyPrecedes(right.file.utf8)
                }
                return (left.line, left.column, a.offset) < (right.line, right.column, b.offset)
            }
        }
        var seen: Set<Diagnostic> = []
        return ordered.map(\.element).filter { seen.insert($0).inserted }
    }
}

/// How many characters of a text from a configuration file a message shows.
private let shown = 80

/// A text from a configuration file in quotes, as a message can carry it.
func quoted(_ text: String) -> String { text.quoted(atMost: shown) }

/// The inside of ``quoted(_:)``.
func escaped(_ text: String) -> String { text.escaped(atMost: shown) }
