import { CairnError, type ErrorCode } from '#lib/error.ts'

/** Problem details (RFC 9457): every answer of the API that is no success. Extension members: `code`, `errors`, and OAuth's `error` of the token exchange. */
export type Problem = {
  /** `about:blank`: the status and `code` say what kind of problem it is. */
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  readonly detail: string
  /** Stable, for programs. */
  readonly code: ErrorCode | 'internal'
  /** Which inputs are wrong, where that is the problem. */
  readonly errors?: readonly { readonly where: string; readonly message: string }[]
  /** OAuth's error (RFC 6749, section 5.2), for the token exchange. */
  readonly error?: string
  readonly error_description?: string
}

export const problem_content_type = 'application/problem+json; charset=utf-8'

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  421: 'Misdirected Request',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** Makes problem details. `detail` is for people and holds nothing secret. */
export const problem = (
  status: number,
  code: Problem['code'],
  detail: string,
  more: Pick<Problem, 'errors' | 'error' | 'error_description'> = {},
): Problem => ({
  type: 'about:blank',
  title: titles[status] ?? 'Error',
  status,
  detail,
  code,
  ...more,
})

const statuses: Partial<Readonly<Record<ErrorCode, number>>> = {
  audit_unavailable: 503,
  conflict: 409,
  forbidden: 403,
  identity_refused: 401,
  issuer_unavailable: 503,
  limit_exceeded: 400,
  log_unavailable: 503,
  not_found: 404,
  store_unavailable: 503,
  unusable_input: 400,
}

type FrameworkError = { readonly statusCode?: unknown; readonly code?: unknown }

const frameworkDetails: Readonly<Record<number, string>> = {
  400: 'the request cannot be read',
  408: 'the request took too long to arrive',
  413: 'the body is too large',
  414: 'the URL is too long',
  415: 'the content type is not one that this route reads',
  431: 'the headers are too large',
  503: 'the answer took too long',
}

/**
 * The problem of something thrown. What is not a refusal on purpose becomes a bare 500: its message may hold internals, and
 * goes to the log only (`internal`).
 */
export const problemOf = (
  thrown: unknown,
): { readonly problem: Problem; readonly internal: boolean } => {
  if (thrown instanceof CairnError) {
    const status = statuses[thrown.code]
    if (status !== undefined)
      return { problem: problem(status, thrown.code, thrown.message), internal: false }
  }
  const { statusCode } = (thrown ?? {}) as FrameworkError
  if (typeof statusCode === 'number' && frameworkDetails[statusCode] !== undefined) {
    const code = statusCode === 503 ? 'store_unavailable' : 'unusable_input'
    return { problem: problem(statusCode, code, frameworkDetails[statusCode]), internal: false }
  }
  return {
    problem: problem(500, 'internal', 'something went wrong inside; the log of the api says what'),
    internal: true,
  }
}
