import Testing

@Suite struct PortModelPlaceholder {
    @Test func placeholder() {}
}
