import { z } from 'zod'

/** Shape of problem details, for the OpenAPI document and the tests. */
export const problemSchema = z
  .strictObject({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().describe('For people.'),
    code: z.string().describe('Stable, for programs.'),
    errors: z
      .array(z.strictObject({ where: z.string(), message: z.string() }))
      .optional()
      .describe('Which inputs are wrong.'),
    error: z
      .string()
      .optional()
      .describe("OAuth's error, of the token exchange (RFC 6749, section 5.2)."),
    error_description: z.string().optional(),
  })
  .describe('Problem details (RFC 9457).')
