import Ports

/// One page of a list, newest first: `?limit=` rows, continued with `?cursor=` from the answer's `nextCursor`.
///
/// The cursor names the last row of the page before by time and id, so a page neither repeats nor skips rows when others
/// are added meanwhile.
struct Page: Sendable {
    let rowCount: Int
    private let after: (time: Instant, id: UniqueID)?
    private let timeColumn: Column
    private let idColumn: Column

    /// - Throws: 400 for a limit or cursor that is none.
    init(_ request: HTTPRequest, time: Column, id: Column, _ settings: ShopSettings) throws(ProblemDocument) {
        timeColumn = time
        idColumn = id
        if let text = request.queryParameter("limit") {
            guard let limit = Int(text), (1...settings.maximumPageRowCount).contains(limit) else {
                throw .invalid("limit", "must be an integer from 1 to \(settings.maximumPageRowCount)")
            }
            rowCount = limit
        } else {
            rowCount = settings.defaultPageRowCount
        }
        guard let text = request.queryParameter("cursor") else {
            after = nil
            return
        }
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 2, let microseconds = Int64(parts[0]), let id = UniqueID(parts[1]) else {
            throw .invalid("cursor", "must be the nextCursor of an earlier page")
        }
        let (nanoseconds, overflow) = microseconds.multipliedReportingOverflow(by: 1_000)
        guard !overflow else { throw .invalid("cursor", "must be the nextCursor of an earlier page") }
        after = (Instant(nanosecondsSinceEpoch: nanoseconds), id)
    }

    /// What reads the page, with `extra` rows more for those of the cursor's own instant that are left out again.
    func select(from table: Table, extra: Int) -> Statement {
        .select(
            Select(
                from: table, where: after.map { [timeColumn <= .timestamp($0.time)] } ?? [],
                orderedBy: [.descending(timeColumn), .descending(idColumn)], limit: rowCount + 1 + extra))
    }

    /// Reads the page; asks again for more rows while too many share the cursor's instant.
    func read(from table: Table, _ runner: CommandRunner) async throws -> [Row] {
        var extra = after == nil ? 0 : 16
        while true {
            let rows = try await runner.query([select(from: table, extra: extra)])[0].rows
            let isLast = rows.count < rowCount + 1 + extra
            let fresh = rows.filter(isAfterCursor)
            if isLast || fresh.count > rowCount { return Array(fresh.prefix(rowCount + 1)) }
            extra *= 4
        }
    }

    private func isAfterCursor(_ row: Row) -> Bool {
        guard let after else { return true }
        let time = row.timestamp(timeColumn)
        return time < after.time || time == after.time && row.uuid(idColumn) < after.id
    }

    /// The answer: `{"items": [...], "nextCursor": "..."}`, the cursor only when there are more.
    func response(_ rows: [Row], _ json: (Row) -> JSONValue) -> HTTPResponse {
        var members = [JSONMember("items", .array(rows.prefix(rowCount).map(json)))]
        if rows.count > rowCount {
            let last = rows[rowCount - 1]
            let cursor = "\(last.timestamp(timeColumn).nanosecondsSinceEpoch / 1_000)_\(last.uuid(idColumn))"
            members.append(JSONMember("nextCursor", .string(cursor)))
        }
        return HTTPResponse(200, body: .json(.object(members)))
    }
}
