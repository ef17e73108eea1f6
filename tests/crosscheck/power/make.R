# Counterparts of spineclock.stats.power: writes r.json. Run in this folder.
suppressMessages(library(jsonlite))
cases <- expand.grid(d = c(0.2, 0.5, 0.8), rho = c(0.5, 0.73, 1), n = c(20, 64, 200))
cases$power <- mapply(function(d, rho, n) power.t.test(n = n, delta = d * sqrt(rho), strict = TRUE)$power,
                      cases$d, cases$rho, cases$n)

# R has no power of a regression on a drawn, normal exposure in base: t given the exposure's spread, averaged over it
slope <- function(r, rho, n, k) {
  s <- r * sqrt(rho) / sqrt(1 - r^2 * rho)
  df <- n - 2 - k
  q <- qt(.975, df)
  power <- function(x) (pt(q, df, s * sqrt(x), lower.tail = FALSE) + pt(-q, df, s * sqrt(x))) * dchisq(x, df + 1)
  mid <- df + 1
  wide <- 12 * sqrt(2 * mid)
  integrate(power, max(0, mid - wide), mid, rel.tol = 1e-10)$value + integrate(power, mid, mid + wide, rel.tol = 1e-10)$value
}
slopes <- expand.grid(r = c(0.1, 0.3), rho = c(0.5, 1), n = c(30, 85, 300), k = c(0, 3))
slopes$power <- mapply(slope, slopes$r, slopes$rho, slopes$n, slopes$k)
writeLines(toJSON(list(groups = cases, slopes = slopes), digits = NA, pretty = TRUE), "r.json")
