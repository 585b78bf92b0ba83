import Ports

/// A request's JSON object, read field by field; what is wrong becomes a problem document that names the field.
struct RequestReader {
    private let object: JSONValue
    /// Which element of which array of the body the object is; `nil` at the top.
    private let place: (array: String, position: Int)?
    private let maximumTextByteCount: Int

    /// - Throws: 413 for a body above the limit, 400 when it is not a JSON object.
    init(_ request: HTTPRequest, _ settings: ShopSettings) throws(ProblemDocument) {
        guard let body = request.body else {
            throw .invalid("body", "a JSON object is needed, the request has no body")
        }
        guard body.estimatedByteCount <= settings.maximumBodyByteCount else {
            throw ProblemDocument(
                413, "Content Too Large", detail: "the body may have at most \(settings.maximumBodyByteCount) bytes")
        }
        guard case .json(let value) = body, case .object = value else {
            throw .invalid("body", "a JSON object is needed")
        }
        self.init(value, place: nil, settings)
    }

    private init(_ object: JSONValue, place: (array: String, position: Int)?, _ settings: ShopSettings) {
        self.object = object
        self.place = place
        maximumTextByteCount = settings.maximumTextByteCount
    }

    /// A field's full name, for problem documents.
    func name(_ field: String) -> String {
        guard let place else { return field }
        return "\(place.array)[\(place.position)].\(field)"
    }

    /// The field's value; `nil` when it is absent or null.
    subscript(field: String) -> JSONValue? {
        guard let value = object[field], !value.isNull else { return nil }
        return value
    }

    func text(_ field: String) throws(ProblemDocument) -> String {
        guard let value = try optionalText(field) else { throw .invalid(name(field), "a text is needed") }
        return value
    }

    func optionalText(_ field: String) throws(ProblemDocument) -> String? {
        guard let value = self[field] else { return nil }
        guard let text = value.stringValue else { throw .invalid(name(field), "must be a text") }
        guard text.utf8.count <= maximumTextByteCount else {
            throw .invalid(name(field), "may have at most \(maximumTextByteCount) bytes")
        }
        // PostgreSQL's text and jsonb cannot hold U+0000.
        guard !text.utf8.contains(0) else { throw .invalid(name(field), "must not contain U+0000") }
        return text
    }

    func uuid(_ field: String) throws(ProblemDocument) -> UniqueID {
        guard let id = UniqueID(try text(field)) else { throw .invalid(name(field), "must be a UUID") }
        return id
    }

    func integer(_ field: String, in range: ClosedRange<Int64>) throws(ProblemDocument) -> Int64 {
        guard let value = self[field].flatMap(Self.whole), range.contains(value) else {
            throw .invalid(name(field), "must be an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// A number without a fraction, however it is written: `1`, `1.0` and `1e0` are the same in JSON.
    private static func whole(_ value: JSONValue) -> Int64? {
        guard case .decimal(var unscaled, let scale) = value else { return value.integerValue }
        for _ in 0..<scale {
            guard unscaled % 10 == 0 else { return nil }
            unscaled /= 10
        }
        return unscaled
    }

    /// A price in minor units; `nil` when absent.
    func optionalPrice(_ field: String) throws(ProblemDocument) -> Int64? {
        guard let value = self[field] else { return nil }
        guard let minorUnits = WireFormat.minorUnits(value), minorUnits >= 0 else {
            throw .invalid(name(field), "must be a number that is not negative, with at most two places")
        }
        return minorUnits
    }

    /// The objects of an array field.
    func objects(
        _ field: String, count: ClosedRange<Int>, _ settings: ShopSettings
    ) throws(ProblemDocument) -> [RequestReader] {
        guard let values = self[field]?.arrayValue, count.contains(values.count) else {
            throw .invalid(name(field), "must be an array of \(count.lowerBound) to \(count.upperBound) objects")
        }
        var readers: [RequestReader] = []
        readers.reserveCapacity(values.count)
        for (position, value) in values.enumerated() {
            guard case .object = value else { throw .invalid("\(name(field))[\(position)]", "must be an object") }
            readers.append(RequestReader(value, place: (name(field), position), settings))
        }
        return readers
    }
}

extension ProblemDocument: Error {}

extension ProblemDocument {
    /// 400 that names the field.
    static func invalid(_ field: String, _ detail: String) -> ProblemDocument {
        ProblemDocument(400, "Invalid Request", detail: "\(field): \(detail)", field: field)
    }

    /// 404 for an id that names nothing.
    static func notFound(_ what: String, _ id: String) -> ProblemDocument {
        ProblemDocument(404, "Not Found", detail: "there is no \(what) \(id)")
    }

    /// 409 for what the state forbids.
    static func conflict(_ detail: String, field: String? = nil) -> ProblemDocument {
        ProblemDocument(409, "Conflict", detail: detail, field: field)
    }

    /// 503 when the database or another part did not answer in time; the same request may be sent again.
    static func unavailable(_ detail: String) -> ProblemDocument {
        ProblemDocument(503, "Service Unavailable", detail: detail)
    }
}
