internal import CYaml

/// An event of libyaml's parser, without the parts that the configuration has no use for.
struct YAMLEvent {
    enum Kind {
        case streamStart, streamEnd, documentStart, documentEnd
        case alias
        case scalar(String, isPlain: Bool)
        case sequenceStart, sequenceEnd, mappingStart, mappingEnd
    }

    var kind: Kind
    var hasAnchor = false
    var hasTag = false
    /// Counted from 1.
    var line: Int
    /// Counted from 1, in characters.
    var column: Int
}

/// A text that libyaml refuses.
struct YAMLSyntaxError: Error {
    let line: Int
    let column: Int
    /// In libyaml's words, with a hint for the mistakes that it explains badly.
    let message: String
}

/// A libyaml parser together with the bytes that it reads; both are freed with the value.
struct YAMLEvents: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutableBufferPointer<UInt8>
    private let end: TextPosition

    /// - Parameter end: the position after the last character.
    /// - Precondition: `bytes` are UTF-8 without a byte order mark.
    /// - Throws: when libyaml gets no memory.
    init(_ bytes: some Collection<UInt8>, end: TextPosition) throws(YAMLSyntaxError) {
        parser = .allocate(capacity: 1)
        input = .allocate(capacity: bytes.count)
        _ = input.initialize(from: bytes)
        self.end = end
        // A failed initialisation leaves the structure zeroed, which may be deleted.
        guard yaml_parser_initialize(parser) == 1 else {
            throw YAMLSyntaxError(line: 1, column: 1, message: Self.outOfMemory)
        }
        // Without this, libyaml would take a file that begins like UTF-16 for UTF-16.
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, input.baseAddress, input.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        input.deallocate()
    }

    private static let outOfMemory = "the parser has no memory left: make the file smaller"

    /// The next event; after `streamEnd` there is none to ask for.
    mutating func next() throws(YAMLSyntaxError) -> YAMLEvent {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
        defer { yaml_event_delete(&event) }
        let (line, column) = position(of: event.start_mark)
        var result = YAMLEvent(kind: .streamEnd, line: line, column: column)
        switch event.type {
        case YAML_STREAM_START_EVENT: result.kind = .streamStart
        case YAML_DOCUMENT_START_EVENT: result.kind = .documentStart
        case YAML_DOCUMENT_END_EVENT: result.kind = .documentEnd
        case YAML_ALIAS_EVENT: result.kind = .alias
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let text = UnsafeBufferPointer(start: scalar.value, count: Int(scalar.length))
            result.kind = .scalar(
                String(decoding: text, as: UTF8.self),
                isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
            result.hasAnchor = scalar.anchor != nil
            result.hasTag = scalar.tag != nil
        case YAML_SEQUENCE_START_EVENT:
            result.kind = .sequenceStart
            result.hasAnchor = event.data.sequence_start.anchor != nil
            result.hasTag = event.data.sequence_start.tag != nil
        case YAML_SEQUENCE_END_EVENT: result.kind = .sequenceEnd
        case YAML_MAPPING_START_EVENT:
            result.kind = .mappingStart
            result.hasAnchor = event.data.mapping_start.anchor != nil
            result.hasTag = event.data.mapping_start.tag != nil
        case YAML_MAPPING_END_EVENT: result.kind = .mappingEnd
        default: break  // YAML_STREAM_END_EVENT, and YAML_NO_EVENT after it
        }
        return result
    }

    private func syntaxError() -> YAMLSyntaxError {
        let state = parser.pointee
        guard state.error != YAML_MEMORY_ERROR, let problem = state.problem else {
            return YAMLSyntaxError(line: 1, column: 1, message: Self.outOfMemory)
        }
        var mark = state.problem_mark
        // The reader gives an offset alone; the scanner gives the place where it stands.
        if state.error == YAML_READER_ERROR { mark = state.mark }
        var message = String(cString: problem)
        if let context = state.context {
            message += " \(String(cString: context))"
            let start = state.context_mark
            if (start.line, start.column) != (mark.line, mark.column) {
                message += " that begins at line \(start.line + 1), column \(start.column + 1)"
            }
        }
        if message.contains("cannot start any token"), let hint = hint(at: mark) {
            message += ": \(hint)"
        }
        let (line, column) = position(of: mark)
        return YAMLSyntaxError(line: line, column: column, message: message)
    }

    /// libyaml counts from 0, and ends the last line even where the file does not.
    private func position(of mark: yaml_mark_t) -> (line: Int, column: Int) {
        let position = (line: Int(mark.line) + 1, column: Int(mark.column) + 1)
        return position > (end.line, end.column) ? (end.line, end.column) : position
    }

    /// Advice where a character begins nothing in YAML; nil where none is known.
    private func hint(at mark: yaml_mark_t) -> String? {
        let text = String(decoding: UnsafeBufferPointer(input), as: UTF8.self).unicodeScalars
        switch text.dropFirst(Int(mark.index)).first {
        case "\t": return "indent with spaces, not with tabs"
        case "@": return "write a group in quotes, as in \"@office\""
        case "`", "%": return "write the value in quotes"
        default: return nil
        }
    }
}
