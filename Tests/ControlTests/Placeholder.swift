import Testing

@Suite struct ControlPlaceholder {
    @Test func placeholder() {}
}
