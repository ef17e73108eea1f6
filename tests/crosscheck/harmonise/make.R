# Counterparts of spineclock.stats.scanner: reads data.csv, writes r.json. Run in this folder.
suppressMessages({library(jsonlite); library(lme4)})
d <- read.csv("data.csv")
d$scanner <- factor(d$scanner)
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e5))

share <- function(d, formula) {
  mixed <- lmer(update(formula, . ~ . + (1 | scanner)), d, control = tight)
  between <- unname(VarCorr(mixed)$scanner[1])
  f <- anova(lm(formula, d), lm(update(formula, . ~ . + scanner), d))
  list(share = between / (between + sigma(mixed)^2), between_sd = sqrt(between), within_sd = sigma(mixed),
       f = f$F[2], df1 = f$Df[2], df2 = f$Res.Df[2], p = f$`Pr(>F)`[2])
}

# each scanner less the mean of all people, age and sex taken out
fit <- lm(gap_years ~ 0 + scanner + age_years + sex, d)
k <- nlevels(d$scanner)
w <- table(d$scanner) / nrow(d)
contrast <- cbind(diag(k) - matrix(w, k, k, byrow = TRUE), 0, 0)
mean <- drop(contrast %*% coef(fit))
se <- sqrt(diag(contrast %*% vcov(fit) %*% t(contrast)))
t <- qt(.975, df.residual(fit))

# the same number on each scanner: Searle's closed form and its exact interval
b <- do.call(rbind, lapply(split(d, d$scanner), head, 12))
parts <- anova(lm(gap_years ~ scanner, b))
m <- parts$`Mean Sq`
f <- m[1] / m[2]
ends <- function(q) { x <- f / qf(q, parts$Df[1], parts$Df[2]); (x - 1) / (x + 11) }
balanced <- list(share = (m[1] - m[2]) / (m[1] + 11 * m[2]), low = ends(.975), high = ends(.025))

writeLines(toJSON(list(
  adjusted = share(d, gap_years ~ age_years + sex), plain = share(d, gap_years ~ 1), balanced = balanced,
  scanners = data.frame(name = levels(d$scanner), mean = mean, low = mean - t * se, high = mean + t * se,
                        p = 2 * pt(-abs(mean / se), df.residual(fit)))),
  digits = NA, auto_unbox = TRUE, pretty = TRUE), "r.json")
