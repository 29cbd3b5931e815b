internal import Site

/// A file that says nothing usable; why is among the findings.
private struct UnusableFile: Error {}

extension YAMLMapping {
    /// Parses one file; nil when it is not text, not YAML or not a mapping, which is reported.
    ///
    /// Plain YAML alone: no anchors and aliases (a kilobyte of them can stand for gigabytes), no
    /// tags, no second document, no key twice. Those that leave the rest readable are reported
    /// without giving up the file.
    /// - Parameter budget: how many YAML nodes may still be made; lowered by those of this file.
    init?(parsing source: ConfigurationSource, budget: inout Int, findings: inout Findings) {
        func location(_ line: Int, _ column: Int) -> SourceLocation {
            SourceLocation(file: source.path, line: line, column: column)
        }
        let end: TextPosition
        do throws(TextProblem) {
            end = try TextProblem.check(source.bytes)
        } catch {
            findings.error(location(error.line, error.column), error.message)
            return nil
        }
        let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
        let text = source.bytes.dropFirst(source.bytes.starts(with: byteOrderMark) ? 3 : 0)
        do throws(YAMLSyntaxError) {
            var tree = YAMLTree(
                events: try YAMLEvents(text, end: end), file: source.path, budget: budget,
                findings: findings)
            defer {
                budget = tree.budget
                findings = tree.findings
            }
            do throws(UnusableFile) {
                self = try tree.document()
            } catch {
                return nil
            }
        } catch {
            findings.error(location(error.line, error.column), error.message)
            return nil
        }
    }
}

/// Builds the tree of one file from its events.
private struct YAMLTree: ~Copyable {
    var events: YAMLEvents
    let file: String
    var budget: Int
    var findings: Findings

    init(events: consuming YAMLEvents, file: String, budget: Int, findings: Findings) {
        self.events = events
        self.file = file
        self.budget = budget
        self.findings = findings
    }

    /// The file's only document. An empty file is an empty mapping.
    mutating func document() throws(UnusableFile) -> YAMLMapping {
        var result = YAMLMapping()
        var hasDocument = false
        while true {
            let event = try next()
            switch event.kind {
            case .streamEnd: return result
            case .documentStart:
                if hasDocument {
                    try fail(
                        event,
                        "a second document begins here: write one document a file, without \"---\" or \"...\" inside"
                    )
                }
                hasDocument = true
            case .streamStart, .documentEnd: break
            default:
                let root = try node(event, depth: 1)
                switch root.content {
                case .mapping(let mapping): result = mapping
                case .null: break
                case .unusable: throw UnusableFile()
                case .scalar, .sequence:
                    try fail(
                        event,
                        "the file holds \(root.kind): it must be a mapping of keys such as nodes")
                }
            }
        }
    }

    private mutating func node(
        _ event: YAMLEvent, depth: Int
    ) throws(UnusableFile) -> YAMLNode {
        try count(event)
        refuseProperties(of: event)
        var result = YAMLNode(content: .unusable, location: location(event))
        switch event.kind {
        case .scalar(let text, let isPlain):
            let isNull = isPlain && ["", "~", "null", "Null", "NULL"].contains(text)
            result.content =
                isNull
                ? .null(YAMLNode.Absence(isWritten: !text.isEmpty))
                : .scalar(text, isPlain: isPlain)
        case .sequenceStart:
            try checkDepth(depth, event)
            var elements: [YAMLNode] = []
            while true {
                let next = try next()
                if case .sequenceEnd = next.kind { break }
                elements.append(try node(next, depth: depth + 1))
            }
            result.content = .sequence(elements)
        case .mappingStart:
            try checkDepth(depth, event)
            result.content = .mapping(try mapping(depth: depth))
        case .alias:
            findings.error(location(event), "aliases are not supported: write the value out")
        case .streamStart, .streamEnd, .documentStart, .documentEnd, .sequenceEnd, .mappingEnd:
            try fail(event, "a value is missing here")
        }
        return result
    }

    private mutating func mapping(depth: Int) throws(UnusableFile) -> YAMLMapping {
        var result = YAMLMapping()
        while true {
            let event = try next()
            if case .mappingEnd = event.kind { return result }
            guard case .scalar(let key, _) = event.kind else {
                try fail(event, "a key must be a word, not a list, a mapping or an alias")
            }
            try count(event)
            refuseProperties(of: event)
            var value = try node(try next(), depth: depth + 1)
            if case .null(var absence) = value.content {
                absence.isOfKey = true
                value.content = .null(absence)
                // Where nothing stands, what comes next may be lines below.
                if !absence.isWritten { value.location = location(event) }
            }
            let entry = YAMLEntry(key: key, keyLocation: location(event), value: value)
            if let first = result.insert(entry) {
                findings.error(
                    location(event),
                    "the key \(quoted(key)) is already at line \(first.keyLocation.line), column \(first.keyLocation.column): write it once"
                )
            }
        }
    }

    /// Reports an anchor or a tag; the value itself is read all the same.
    private mutating func refuseProperties(of event: YAMLEvent) {
        if event.hasAnchor {
            findings.error(
                location(event), "anchors are not supported: write the value out where it is used")
        }
        if event.hasTag {
            findings.error(
                location(event), "tags are not supported: write the value without \"!\"")
        }
    }

    private mutating func checkDepth(_ depth: Int, _ event: YAMLEvent) throws(UnusableFile) {
        if depth > ConfigurationLimits.depth {
            try fail(event, "nested deeper than \(ConfigurationLimits.depth) levels")
        }
    }

    private mutating func count(_ event: YAMLEvent) throws(UnusableFile) {
        guard budget > 0 else {
            try fail(
                event,
                "more than \(ConfigurationLimits.yamlNodes) keys and values in all files: write fewer"
            )
        }
        budget -= 1
    }

    private mutating func next() throws(UnusableFile) -> YAMLEvent {
        do throws(YAMLSyntaxError) {
            return try events.next()
        } catch {
            findings.error(
                SourceLocation(file: file, line: error.line, column: error.column), error.message)
            throw UnusableFile()
        }
    }

    private mutating func fail(
        _ event: YAMLEvent, _ message: String
    ) throws(UnusableFile) -> Never {
        findings.error(location(event), message)
        throw UnusableFile()
    }

    private func location(_ event: YAMLEvent) -> SourceLocation {
        SourceLocation(file: file, line: event.line, column: event.column)
    }
}
