import Ports

extension Error {
    /// Whether this process or task is to end: such an error is passed on at once, and no port is called any more.
    public var endsProcess: Bool { self is ProcessStopped || self is CancellationError }
}
