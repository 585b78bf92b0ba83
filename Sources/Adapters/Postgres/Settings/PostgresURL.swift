#if Production
    import Clibpq

    /// Where a database is, as libpq takes it: `postgresql://user:password@host:port/database?sslmode=verify-full&...`.
    ///
    /// TLS comes from the URL alone: `sslmode`, `sslrootcert`, `sslcert`, `sslkey` and the rest of libpq's parameters
    /// (PostgreSQL documentation, "Database Connection Control Functions").
    public struct PostgresURL: Hashable, Sendable {
        /// Why a URL cannot be used. It never repeats the URL, which may hold a password.
        public struct Invalid: Error, Hashable, Sendable, CustomStringConvertible {
            public let reason: String
            public var description: String {
                "not a PostgreSQL URL: \(reason); wanted postgresql://user@host:port/database?sslmode=..."
            }
        }

        /// The parameters that the URL gives, by libpq's keywords, sorted.
        let parameters: [Parameter]

        struct Parameter: Hashable, Sendable {
            let keyword: String
            let value: String
        }

        /// - Throws: ``Invalid`` when libpq does not understand the text.
        public init(_ text: String) throws(Invalid) {
            guard text.hasPrefix("postgresql://") || text.hasPrefix("postgres://") else {
                throw Invalid(reason: "it does not begin with postgresql://")
            }
            guard let options = PQconninfoParse(text, nil) else {
                throw Invalid(reason: "libpq does not understand it")
            }
            defer { PQconninfoFree(options) }
            var parameters: [Parameter] = []
            var next = options
            while let keyword = next.pointee.keyword {
                if let value = next.pointee.val {
                    parameters.append(Parameter(keyword: String(cString: keyword), value: String(cString: value)))
                }
                next += 1
            }
            self.parameters = parameters.sorted { $0.keyword < $1.keyword }
            // libpq would find this out only when it connects.
            for port in (value("port") ?? "").split(separator: ",") where !(1...65_535).contains(Int(port) ?? 0) {
                throw Invalid(reason: "a port is not a number from 1 to 65535")
            }
        }

        func value(_ keyword: String) -> String? { parameters.first { $0.keyword == keyword }?.value }

        public var host: String? { value("host") }
        public var database: String? { value("dbname") }
        public var user: String? { value("user") }

        /// The same URL with one of libpq's parameters set, for example `dbname`, or `options` with `-c search_path=...`.
        public func setting(_ keyword: String, to value: String) -> PostgresURL {
            var copy = parameters.filter { $0.keyword != keyword }
            copy.append(Parameter(keyword: keyword, value: value))
            return PostgresURL(parameters: copy.sorted { $0.keyword < $1.keyword })
        }

        private init(parameters: [Parameter]) { self.parameters = parameters }
    }

    extension PostgresURL: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
        /// Host, port, database and user. Nothing that could be a secret, whatever the URL holds.
        public var description: String {
            let place = "\(value("host") ?? "localhost"):\(value("port") ?? "5432")"
            return "\(place)/\(value("dbname") ?? "") as \(value("user") ?? "default user")"
        }
        public var debugDescription: String { description }
        public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
    }
#endif
