#if Production
    /// How busy a pool is.
    public struct PoolStatistics: Hashable, Sendable {
        /// Connections open or being opened.
        public let open: Int
        /// Open ones that nobody uses.
        public let idle: Int
        /// Callers that wait now.
        public let waiting: Int
        public let waitsSinceStart: Int
    }
#endif
