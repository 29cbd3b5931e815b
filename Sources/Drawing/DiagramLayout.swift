internal import PortModel

/// Where everything of a diagram stands, in whole user units from its upper left corner.
package struct DiagramLayout: Hashable, Sendable {
    /// On a sheet of 190 mm, within A4 and Letter, a unit is 0.24 mm and the smallest letters are
    /// 6.7 points high.
    package static let width = 800

    /// Of all that stands below one another, margins included.
    package private(set) var height = 0
    /// Those of the devices from top to bottom, then the node's.
    package private(set) var frames: [Frame] = []
    /// A text of several lines is one for each line.
    package private(set) var texts: [PlacedText] = []
    /// From top to bottom: one for each row that permits something.
    package private(set) var arrows: [PlacedArrow] = []

    /// A rectangle in user units; y grows downwards.
    package struct Area: Hashable, Sendable {
        /// Of the left edge.
        package var x: Int
        /// Of the upper edge.
        package var y: Int
        package var width: Int
        package var height: Int

        /// Of the right edge.
        package var right: Int { x + width }
        /// Of the lower edge.
        package var bottom: Int { y + height }

        /// Whether the other one lies within, edges included.
        package func contains(_ other: Area) -> Bool {
            x <= other.x && y <= other.y && other.right <= right && other.bottom <= bottom
        }

        /// Whether both have room in common; edges that touch have none.
        package func overlaps(_ other: Area) -> Bool {
            x < other.right && other.x < right && y < other.bottom && other.y < bottom
        }
    }

    /// The border around the node or around a device.
    package struct Frame: Hashable, Sendable {
        /// Says how the border is drawn.
        package enum Kind: String, Hashable, Sendable {
            case node
            case device
        }
        package var kind: Kind
        package var area: Area
    }

    /// A line of text, with the most room that it takes.
    package struct PlacedText: Hashable, Sendable {
        /// Says which typeface the line has.
        package enum Kind: String, Hashable, Sendable {
            case title
            case name
            case detail
            case traffic
            case description
            case id
            case heading
            case note
        }
        package var kind: Kind
        /// One line, already broken to its width.
        package var text: String
        /// As wide as the widest font makes it: see ``Typeface``.
        package var area: Area

        /// Where its letters stand.
        package var baseline: Int { area.y + kind.typeface.size }
    }

    /// From left to right, with its head at the right end.
    package struct PlacedArrow: Hashable, Sendable {
        /// The left end.
        package var fromX: Int
        /// The right end, at which the head is.
        package var toX: Int
        package var y: Int
    }

    private static let margin = 12
    private static let padding = 8
    private static let deviceWidth = 220
    private static let nodeWidth = 190
    private static let gap = 10

    /// Lays out the title, the notes, the picture and what stands below it.
    package init(_ diagram: Diagram) {
        var y = Self.margin
        y = add(.title, diagram.title, x: Self.margin, y: y, width: Self.fullWidth) + Self.gap
        for note in diagram.notes {
            y = add(.heading, note, x: Self.margin, y: y, width: Self.fullWidth) + Self.gap
        }
        y = addRows(of: diagram, from: y)
        y = addAbsent(diagram.absent, from: y)
        for footnote in diagram.footnotes {
            y = add(.note, footnote.line, x: Self.margin, y: y, width: Self.fullWidth)
        }
        height = y + Self.margin
    }

    private static var fullWidth: Int { width - 2 * margin }

    // MARK: The picture

    private mutating func addRows(of diagram: Diagram, from top: Int) -> Int {
        let isInbound = diagram.direction == .inbound
        let deviceX = isInbound ? Self.margin : Self.width - Self.margin - Self.deviceWidth
        let nodeX = isInbound ? Self.width - Self.margin - Self.nodeWidth : Self.margin
        let arrowX = isInbound ? deviceX + Self.deviceWidth : nodeX + Self.nodeWidth
        let arrowEnd = isInbound ? nodeX : deviceX
        var y = top
        for device in diagram.devices {
            let start = y
            for arrow in device.arrows { y = add(arrow, from: arrowX, to: arrowEnd, y: y) }
            let bottom = max(y, add(device.box, x: deviceX, y: start, width: Self.deviceWidth))
            addFrame(.device, deviceX, start, Self.deviceWidth, bottom)
            y = bottom + Self.gap
        }
        if diagram.devices.isEmpty {
            y = add(
                .description, "No row is open.", x: arrowX + Self.padding, y: y + Self.padding,
                width: arrowEnd - arrowX - 2 * Self.padding)
        }
        let bottom = max(
            y - (diagram.devices.isEmpty ? 0 : Self.gap),
            add(diagram.subject, x: nodeX, y: top, width: Self.nodeWidth))
        addFrame(.node, nodeX, top, Self.nodeWidth, bottom)
        return bottom + Self.gap
    }

    private mutating func addFrame(
        _ kind: Frame.Kind, _ x: Int, _ y: Int, _ width: Int, _ bottom: Int
    ) {
        frames.append(
            Frame(kind: kind, area: Area(x: x, y: y, width: width, height: bottom - y)))
    }

    /// The name and the lines of a frame; returns where the frame may end.
    private mutating func add(_ box: Diagram.Box, x: Int, y: Int, width: Int) -> Int {
        let inner = width - 2 * Self.padding
        var y = add(.name, box.name, x: x + Self.padding, y: y + Self.padding, width: inner)
        for detail in box.details {
            y = add(.detail, detail, x: x + Self.padding, y: y, width: inner)
        }
        return y + Self.padding
    }

    /// The ports above the line, what they are for below it.
    private mutating func add(
        _ arrow: Diagram.Arrow, from left: Int, to right: Int, y: Int
    ) -> Int {
        let x = left + Self.padding
        let room = right - left - 2 * Self.padding
        var y = add(.traffic, arrow.traffic, x: x, y: y + 2, width: room) + 2
        arrows.append(PlacedArrow(fromX: left, toX: right, y: y))
        y += 3
        // One line where both fit beside each other.
        let description = PlacedText.Kind.description.typeface.width(of: arrow.purpose)
        let id = PlacedText.Kind.id.typeface.width(of: arrow.id)
        if description + Self.gap + id <= room {
            let bottom = add(.description, arrow.purpose, x: x, y: y, width: description)
            _ = add(.id, arrow.id, x: x + room - id, y: y + 1, width: id)
            return bottom + Self.padding
        }
        y = add(.description, arrow.purpose, x: x, y: y, width: room)
        return add(.id, arrow.id, x: x, y: y, width: room) + Self.padding
    }

    // MARK: Below the picture

    private mutating func addAbsent(_ absent: [Diagram.Absent], from top: Int) -> Int {
        guard !absent.isEmpty else { return top }
        var y = add(.heading, "Not open here:", x: Self.margin, y: top, width: Self.fullWidth)
        for row in absent {
            y = add(
                .note, "\(row.description): \(row.reason) (\(row.id))", x: Self.margin, y: y,
                width: Self.fullWidth)
        }
        return y + Self.gap
    }

    /// Wraps a text; returns where it ends.
    private mutating func add(
        _ kind: PlacedText.Kind, _ text: String, x: Int, y: Int, width: Int
    ) -> Int {
        let typeface = kind.typeface
        var y = y
        for line in typeface.lines(of: text, width: width) {
            texts.append(
                PlacedText(
                    kind: kind, text: line,
                    area: Area(
                        x: x, y: y, width: typeface.width(of: line), height: typeface.leading)))
            y += typeface.leading
        }
        return y
    }
}

extension DiagramLayout.PlacedText.Kind {
    /// The size and weight of the kind's letters.
    package var typeface: Typeface {
        switch self {
        case .title: Typeface(size: 17, isBold: true)
        case .name, .traffic, .heading: Typeface(size: 12, isBold: true)
        case .detail, .description, .note: Typeface(size: 11, isBold: false)
        case .id: Typeface(size: 10, isBold: false)
        }
    }
}
