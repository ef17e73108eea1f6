# Counterparts of spineclock.stats.association: reads data.csv, writes r.json. Run in this folder.
suppressMessages({library(jsonlite); library(sandwich); library(lmtest); library(splines); library(mice)})
d <- read.csv("data.csv")
d$work <- factor(d$work, levels = c("light", "moderate", "heavy"))
d$sex <- factor(d$sex, levels = c("F", "M"))
d$site <- factor(d$site)
out <- list()

# --- linear models, errors clustered by person
terms <- c("bulge", "fracture", "scoliosis", "packs_per_day", "work")
keep <- complete.cases(d[, c("gap_years", "age_years", "sex", "site", terms)])
e <- d[keep, ]
models <- list(
  plain = lm(gap_years ~ bulge + fracture + scoliosis + packs_per_day + work, e),
  adjusted = lm(gap_years ~ age_years + sex + site + bulge + fracture + scoliosis + packs_per_day + work, e))
for (name in names(models)) {
  fit <- models[[name]]
  cr1 <- vcovCL(fit, cluster = e$person_id, type = "HC1")
  cr2 <- vcovCL(fit, cluster = e$person_id, type = "HC2") # its own (G - 1)/G and cadjust's G/(G - 1) cancel
  people <- length(unique(e$person_id))
  df <- min(people - 1, df.residual(fit))
  own <- c("bulge", "fracture", "scoliosis", "packs_per_day", "workmoderate", "workheavy")
  b <- coef(fit)[own]; se <- sqrt(diag(cr1))[own]
  p <- 2 * pt(-abs(b / se), df)
  x <- model.matrix(fit)[, -1]
  vif <- sapply(own, function(k) 1 / (1 - summary(lm(x[, k] ~ x[, colnames(x) != k]))$r.squared))
  # Bell and McCaffrey's degrees of freedom with people-by-people matrices, as written
  X <- model.matrix(fit); M <- solve(crossprod(X)); H <- X %*% M %*% t(X); R <- diag(nrow(X)) - H
  G <- lapply(split(seq_len(nrow(X)), e$person_id), function(i) {
    s <- eigen(diag(length(i)) - H[i, i, drop = FALSE], symmetric = TRUE)
    A <- s$vectors %*% diag(1 / sqrt(s$values), length(i)) %*% t(s$vectors)
    t(R[i, , drop = FALSE]) %*% A %*% X[i, , drop = FALSE] %*% M })
  bm <- sapply(own, function(k) {
    g <- sapply(G, function(m) m[, which(colnames(X) == k)])
    P <- crossprod(g); sum(diag(P))^2 / sum(P^2) })
  out[[name]] <- list(n = nrow(e), people = people, df = df, estimate = unname(b), se_cr1 = unname(se),
    low = unname(b - qt(0.975, df) * se), high = unname(b + qt(0.975, df) * se), p = unname(p),
    q = unname(p.adjust(p, "BH")), se_cr2 = unname(sqrt(diag(cr2))[own]), df_cr2 = unname(bm), vif = unname(vif),
    se_classical = unname(summary(fit)$coefficients[own, 2]))
}

# --- fourfold tables
tables <- list(c(3, 1, 1, 3), c(12, 988, 3, 997), c(0, 50, 4, 60), c(5, 0, 3, 6), c(40, 10, 45, 3))
# fisher.test finds its estimate and ends to four digits only: the same equations, from dhyper, to fourteen
ends <- function(t, share) { # share: how much of the observed probability counts on either side
  m <- t[1] + t[2]; n <- t[3] + t[4]; k <- t[1] + t[3]; s <- max(0, k - n):min(k, m)
  ld <- dhyper(s, m, n, k, log = TRUE)
  d <- function(x) { w <- ld + s * x; w <- exp(w - max(w)); w / sum(w) }
  above <- function(x) sum(d(x)[s > t[1]]); own <- function(x) sum(d(x)[s == t[1]])
  root <- function(f) exp(uniroot(f, c(-40, 40), tol = 1e-14, maxiter = 10000)$root)
  list(estimate = if (t[1] == min(s)) 0 else if (t[1] == max(s)) 1e300 else root(function(x) sum(d(x) * s) - t[1]),
    low = if (t[1] == min(s)) 0 else root(function(x) above(x) + share * own(x) - 0.025),
    high = if (t[1] == max(s)) 1e300 else root(function(x) above(x) + (1 - share) * own(x) - 0.975),
    p = min(1, 2 * min(above(0) + own(0) / 2, 1 - above(0) - own(0) / 2))) }
out$fisher <- lapply(tables, function(t) {
  f <- fisher.test(matrix(t, 2, byrow = TRUE)); e <- ends(t, 1); m <- ends(t, 0.5)
  list(cells = t, p = f$p.value, rough = c(min(f$estimate, 1e300), f$conf.int[1], min(f$conf.int[2], 1e300)),
       estimate = e$estimate, low = e$low, high = e$high, midp_low = m$low, midp_high = m$high, midp_p = m$p) })

# --- odds by band of the gap
b <- d[!is.na(d$gap_years) & abs(d$gap_years) > 3, ]
b$high <- as.integer(b$gap_years > 3)
g <- glm(bulge ~ high, binomial, b, control = list(epsilon = 1e-14, maxit = 50))
v <- vcovCL(g, cluster = b$person_id, type = "HC0")[2, 2]
f <- d[order(d$person_id, d$age_years), ]; f <- f[!duplicated(f$person_id), ]
f <- f[!is.na(f$gap_years) & abs(f$gap_years) > 3, ]; f$high <- as.integer(f$gap_years > 3)
w <- summary(glm(bulge ~ high, binomial, f, control = list(epsilon = 1e-14, maxit = 50)))$coefficients[2, ]
out$odds <- list(estimate = exp(coef(g)[[2]]), se = sqrt(v), n = nrow(b),
  first = list(estimate = exp(w[[1]]), se = w[[2]], p = w[[4]], n = nrow(f)))

# --- gap against age by group
s <- d[!is.na(d$gap_years), ]; s$heavy <- as.integer(s$work == "heavy")
knots <- quantile(s$age_years, c(0.05, 0.35, 0.65, 0.95))
s$g <- factor(s$heavy)
curve <- lm(gap_years ~ g * ns(age_years, knots = knots[2:3], Boundary.knots = knots[c(1, 4)]), s)
vc <- vcovCL(curve, cluster = s$person_id, type = "HC1")
at <- data.frame(age_years = c(30, 50, 70, 30, 50, 70), g = factor(c(0, 0, 0, 1, 1, 1)))
X <- model.matrix(delete.response(terms(curve)), at)
df <- min(length(unique(s$person_id)) - 1, df.residual(curve))
mean <- drop(X %*% coef(curve)); se <- sqrt(diag(X %*% vc %*% t(X)))
parallel <- lm(gap_years ~ g + ns(age_years, knots = knots[2:3], Boundary.knots = knots[c(1, 4)]), s)
wt <- waldtest(parallel, curve, vcov = vc, test = "F")
D <- X[4:6, ] - X[1:3, ]
line <- lm(gap_years ~ g * age_years, s); vl <- vcovCL(line, cluster = s$person_id, type = "HC1")
c0 <- coef(line)[["g1"]]; c1 <- coef(line)[["g1:age_years"]]
V <- vl[c("g1", "g1:age_years"), c("g1", "g1:age_years")]; cross <- -c0 / c1
grad <- c(-1 / c1, c0 / c1^2); dfl <- min(length(unique(s$person_id)) - 1, df.residual(line))
delta <- sqrt(drop(t(grad) %*% V %*% grad))
# Fieller by its definition: the ages at which the difference is just not significant
t2 <- function(a) abs(c0 + c1 * a) / sqrt(V[1, 1] + 2 * a * V[1, 2] + a^2 * V[2, 2]) - qt(0.975, dfl)
fl <- uniroot(t2, c(cross - 200, cross), tol = 1e-13, maxiter = 10000)$root
fh <- uniroot(t2, c(cross, cross + 200), tol = 1e-13, maxiter = 10000)$root
out$smooth <- list(mean = unname(mean), low = unname(mean - qt(0.975, df) * se), high = unname(mean + qt(0.975, df) * se),
  difference = unname(drop(D %*% coef(curve))), difference_half = unname(qt(0.975, df) * sqrt(diag(D %*% vc %*% t(D)))),
  f = wt$F[2], p = pf(wt$F[2], 3, df, lower.tail = FALSE), slope = 10 * c1, slope_se = 10 * sqrt(V[2, 2]),
  cross = cross, delta_half = qt(0.975, dfl) * delta, fieller_low = fl, fieller_high = fh)

# --- Rubin's rules
Q <- c(1.21, 0.98, 1.37, 1.10, 1.02); U <- c(0.040, 0.043, 0.039, 0.041, 0.044)
big <- pool.scalar(Q, U, n = 340, k = 6)   # complete-data degrees of freedom n - k = 334
small <- pool.scalar(Q, U, n = 12, k = 2)
out$rubin <- lapply(list(big = big, small = small), function(r)
  list(estimate = r$qbar, variance = r$t, df = r$df, fmi = r$fmi))

# --- reliability of repeat scans: one-way analysis of variance
two <- names(which(table(s$person_id) == 2)); r <- s[s$person_id %in% two, ]
a <- anova(lm(gap_years ~ factor(person_id), r))$`Mean Sq`
out$reliability <- list(pairs = length(two), icc = (a[1] - a[2]) / (a[1] + a[2]), error = a[2])

write_json(out, "r.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
