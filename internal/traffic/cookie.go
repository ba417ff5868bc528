package traffic

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maxCookies is of how many cookies one expression can say that all are there: their order is the browser's, RE2 has no
// lookahead, and each order is an alternative.
const maxCookies = 3

// CookieExpression is an RE2 expression for the whole of a Cookie header in which all the cookies are, in any order. It is
// for planes that match cookies by their header. It fails for more than three cookies.
func CookieExpression(cookies []Pair) (string, error) {
	if len(cookies) > maxCookies {
		return "", Refused(TooManyCookies, "matches[].cookies: %d cookies cannot be matched together through the Cookie header, which is all that this data plane has; use at most %d", len(cookies), maxCookies)
	}
	var alternatives []string
	permute(cookies, nil, func(order []Pair) {
		parts := make([]string, 0, len(order))
		for _, c := range order {
			parts = append(parts, regexp.QuoteMeta(c.Name)+"="+regexp.QuoteMeta(c.Value))
		}
		alternatives = append(alternatives, strings.Join(parts, "(;.*)?; ?"))
	})
	slices.Sort(alternatives)
	return "(.*; ?)?(" + strings.Join(slices.Compact(alternatives), "|") + ")(;.*)?", nil
}

// SetCookie is the value of the Set-Cookie header that gives a user the affinity's cookie with that value.
func (a Affinity) SetCookie(value string) string {
	out := fmt.Sprintf("%s=%s; Path=/", a.Cookie, value)
	if a.MaxAge > 0 {
		out += fmt.Sprintf("; Max-Age=%d", int64(a.MaxAge.Seconds()))
	}
	return out + "; HttpOnly; SameSite=Lax"
}

// AnyCookieExpression is an RE2 expression for the whole of a Cookie header in which the cookie has one of the values.
func AnyCookieExpression(name string, values []string) string {
	quoted := make([]string, 0, len(values))
	for _, v := range values {
		quoted = append(quoted, regexp.QuoteMeta(v))
	}
	slices.Sort(quoted)
	return "(.*; ?)?" + regexp.QuoteMeta(name) + "=(" + strings.Join(slices.Compact(quoted), "|") + ")(;.*)?"
}

func permute(rest, done []Pair, found func([]Pair)) {
	if len(rest) == 0 {
		found(done)
		return
	}
	for i := range rest {
		others := append(slices.Clone(rest[:i]), rest[i+1:]...)
		permute(others, append(slices.Clone(done), rest[i]), found)
	}
}
